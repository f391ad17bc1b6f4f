# Tests of runtime/host: real plugins, good and bad, are built for them.
set(umbra_host_test_plugins ${CMAKE_BINARY_DIR}/tests/host_plugins)

# A well-made plugin of the test tree, by the function that authors use.
function(umbra_add_host_test_plugin kind name source)
  set(UMBRA_PLUGIN_OUTPUT_DIRECTORY ${umbra_host_test_plugins}/good)
  umbra_add_plugin(${kind} ${name} integration/host/plugins/${source})
  target_link_libraries(umbra-${kind}-${name} PRIVATE umbra_build_options)
  set_property(GLOBAL APPEND PROPERTY umbra_host_test_targets umbra-${kind}-${name})
endfunction()

# umbra_add_bent_plugin(<variant> <definition>...): bare.c, bent by macros. Without the safety net
# of umbra_add_plugin(), which would not let most of them be built.
function(umbra_add_bent_plugin variant)
  set(target umbra_host_test_${variant})
  add_library(${target} MODULE integration/host/plugins/bare.c)
  target_link_libraries(${target} PRIVATE umbra_sdk)
  target_compile_options(${target} PRIVATE
      $<TARGET_PROPERTY:umbra_build_options,INTERFACE_COMPILE_OPTIONS>)
  target_compile_definitions(${target} PRIVATE ${ARGN})
  # The host must find what is undefined, not the loader because a plugin happens to ask for it.
  target_link_options(${target} PRIVATE LINKER:-z,lazy)
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME umbra-probe-bare
      LIBRARY_OUTPUT_DIRECTORY ${umbra_host_test_plugins}/${variant} SKIP_BUILD_RPATH TRUE)
  set_property(GLOBAL APPEND PROPERTY umbra_host_test_targets ${target})
endfunction()

umbra_add_host_test_plugin(probe bare bare.c)
umbra_add_host_test_plugin(probe rude rude.c)
umbra_add_host_test_plugin(probe manners manners.cpp)
umbra_add_host_test_plugin(transport echo echo_transport.cpp)
umbra_add_host_test_plugin(storage memory memory_storage.cpp)
umbra_add_host_test_plugin(tunnel echo echo_tunnel.cpp)
target_link_libraries(umbra-probe-rude PRIVATE Threads::Threads)

umbra_add_bent_plugin(other_abi BARE_NOTE_MINOR=UMBRA_ABI_MINOR+1)
umbra_add_bent_plugin(other_kind BARE_NOTE_KIND=UMBRA_KIND_TUNNEL)
umbra_add_bent_plugin(unknown_kind BARE_NOTE_KIND=77)
umbra_add_bent_plugin(odd_name BARE_NOTE_NAME="../x")
umbra_add_bent_plugin(other_name BARE_NAME="other" BARE_NOTE_NAME="bare")
umbra_add_bent_plugin(no_note BARE_NO_NOTE)
umbra_add_bent_plugin(no_entry BARE_NO_ENTRY)
umbra_add_bent_plugin(null_entry BARE_NULL_ENTRY)
umbra_add_bent_plugin(wild_entry BARE_WILD_ENTRY)
umbra_add_bent_plugin(no_stop BARE_NO_STOP)
umbra_add_bent_plugin(no_check BARE_NO_CHECK)
umbra_add_bent_plugin(no_instance BARE_NO_INSTANCE)
umbra_add_bent_plugin(undefined BARE_UNDEFINED)
umbra_add_bent_plugin(needs BARE_NEEDS)
umbra_add_bent_plugin(crashes BARE_CRASHES)
umbra_add_bent_plugin(hangs BARE_HANGS)
umbra_add_bent_plugin(exits BARE_EXITS)
add_library(umbra_test_gone SHARED integration/host/plugins/gone.c)
set_target_properties(umbra_test_gone PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY ${umbra_host_test_plugins}/gone)
target_link_libraries(umbra_host_test_needs PRIVATE umbra_test_gone)

umbra_add_test(host_unit_test LABEL unit
    SOURCES
        unit/host/dl_error_test.cpp
        unit/host/file_test.cpp
        unit/host/text_test.cpp
    LIBRARIES umbra_host)
target_include_directories(host_unit_test PRIVATE ${PROJECT_SOURCE_DIR}/runtime/host/src)

umbra_add_test(host_test LABEL integration
    SOURCES
        integration/host/calls_test.cpp
        integration/host/describe_test.cpp
        integration/host/gates_test.cpp
        integration/host/kinds_test.cpp
        integration/host/registry_test.cpp
        integration/host/stop_test.cpp
    LIBRARIES umbra_host)
target_compile_definitions(host_test PRIVATE
    UMBRA_TEST_PLUGINS="${umbra_host_test_plugins}")
get_property(umbra_host_test_targets GLOBAL PROPERTY umbra_host_test_targets)
add_dependencies(host_test ${umbra_host_test_targets})

# An author's day: install the SDK, build the smallest plugins outside of this tree, use them.
add_executable(load_and_use integration/sdk/load_and_use.cpp)
target_include_directories(load_and_use PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(load_and_use PRIVATE umbra_host umbra_build_options GTest::gmock)
add_test(NAME sdk_out_of_tree
    COMMAND ${CMAKE_COMMAND} -DTREE=${CMAKE_BINARY_DIR} -DROOT=${PROJECT_SOURCE_DIR}
            -DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}/integration/sdk/plugins
            -DWORK=${CMAKE_BINARY_DIR}/tests/out_of_tree -DUSE=$<TARGET_FILE:load_and_use>
            -DCXX=${CMAKE_CXX_COMPILER} -DLAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/integration/sdk/out_of_tree.cmake)
set_tests_properties(sdk_out_of_tree PROPERTIES LABELS integration TIMEOUT 300)
