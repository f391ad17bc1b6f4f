# Installs the SDK into a staging directory, builds the smallest plugin of each kind against it in a
# directory of its own, and has them loaded and used by the host.
#   cmake -DTREE=<build> -DSOURCE=<plugins> -DWORK=<scratch> -DUSE=<load_and_use> -DCXX=<compiler>
#         -P out_of_tree.cmake
cmake_minimum_required(VERSION 3.24)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(failed)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\n${output}\nended with ${failed}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK}/build)
run(${CMAKE_COMMAND} --install ${TREE} --component sdk --prefix ${WORK}/prefix)
# What is installed may not lead back into the tree.
file(GLOB_RECURSE installed ${WORK}/prefix/lib/cmake/*.cmake ${WORK}/prefix/include/*)
list(LENGTH installed count)
if(count LESS 10)
  message(FATAL_ERROR "only ${count} files of the SDK were installed below ${WORK}/prefix")
endif()
foreach(file IN LISTS installed)
  file(READ ${file} text)
  string(FIND "${text}" "${ROOT}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "${file} names the source tree ${ROOT}")
  endif()
endforeach()

run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G Ninja -DCMAKE_BUILD_TYPE=Debug
    -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}
    -DCMAKE_PREFIX_PATH=${WORK}/prefix "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror"
    -DUMBRA_PLUGIN_OUTPUT_DIRECTORY=${WORK}/plugins)
run(${CMAKE_COMMAND} --build ${WORK}/build --parallel 2)
# As an installation would: not writable by the group, whatever the umask is.
file(CHMOD ${WORK} ${WORK}/plugins PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
file(GLOB plugins ${WORK}/plugins/*.so)
foreach(plugin IN LISTS plugins)
  file(CHMOD ${plugin} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()
run(${USE} ${WORK}/plugins)
message("${output}")
