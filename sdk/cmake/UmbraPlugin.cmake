# umbra_add_plugin(<kind> <name> <source>...)
#
# Builds umbra-<kind>-<name>.so against the SDK: hidden symbols with one export, nothing left
# undefined, and a check after the build that the export is there.
# <kind> is transport, storage, probe or tunnel. The target is called umbra-<kind>-<name>.

function(umbra_add_plugin kind name)
  set(kinds transport storage probe tunnel)
  if(NOT kind IN_LIST kinds)
    message(FATAL_ERROR "umbra_add_plugin: kind is one of ${kinds}, not \"${kind}\"")
  endif()
  set(target umbra-${kind}-${name})
  add_library(${target} MODULE ${ARGN})
  target_link_libraries(${target} PRIVATE umbra::sdk)
  set_target_properties(${target} PROPERTIES
      PREFIX "" SUFFIX ".so" OUTPUT_NAME ${target}
      CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
      LINK_DEPENDS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)
  target_link_options(${target} PRIVATE
      LINKER:--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map LINKER:-z,now LINKER:-z,relro
      LINKER:--exclude-libs,ALL)
  # The runtime of a sanitizer is linked into the program only, so with one the symbols of a plugin
  # cannot all be there.
  if(NOT "${CMAKE_CXX_FLAGS} ${UMBRA_SANITIZE}" MATCHES "sanitize|address|thread")
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()
  if(UMBRA_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${UMBRA_PLUGIN_OUTPUT_DIRECTORY})
  endif()
  add_custom_command(TARGET ${target} POST_BUILD
      COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DFILE=$<TARGET_FILE:${target}> -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check_exports.cmake
      VERBATIM)
endfunction()
