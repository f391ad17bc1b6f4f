include_guard(GLOBAL)
# Drives a plugin's shared object through the binary interface; what storages share as tests.
add_library(umbra_plugin_driver STATIC ${CMAKE_CURRENT_LIST_DIR}/integration/plugin/driver.cpp)
target_include_directories(umbra_plugin_driver PUBLIC ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(umbra_plugin_driver PUBLIC umbra::sdk Threads::Threads ${CMAKE_DL_LIBS}
                      PRIVATE umbra_build_options)

add_executable(storage_crash_writer
    ${CMAKE_CURRENT_LIST_DIR}/integration/plugin/storage_crash_writer.cpp)
target_link_libraries(storage_crash_writer PRIVATE umbra_plugin_driver umbra_build_options)

# Stands in front of the C library in programs whose files are to fail at some call.
add_library(umbra_failpoint MODULE ${CMAKE_CURRENT_LIST_DIR}/integration/failpoint/calls.cpp)
target_include_directories(umbra_failpoint PRIVATE ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(umbra_failpoint PRIVATE ${CMAKE_DL_LIBS})
target_compile_options(umbra_failpoint PRIVATE -U_FORTIFY_SOURCE)

add_executable(storage_script_runner
    ${CMAKE_CURRENT_LIST_DIR}/integration/plugin/storage_script_runner.cpp
    ${CMAKE_CURRENT_LIST_DIR}/integration/plugin/storage_script.cpp)
target_link_libraries(storage_script_runner PRIVATE umbra_plugin_driver umbra_build_options)

# storage_bench PLUGIN: appends per second beside those of a bare file.
add_executable(storage_bench ${CMAKE_CURRENT_LIST_DIR}/bench/storage_bench.cpp)
target_link_libraries(storage_bench PRIVATE umbra_plugin_driver umbra_build_options)

# umbra_add_storage_conformance(<test> <plugin target> <source with storage_under_test()>...)
function(umbra_add_storage_conformance test plugin)
  umbra_add_test(${test} LABEL integration TIMEOUT 300
      SOURCES integration/plugin/storage_conformance.cpp integration/plugin/storage_crash_test.cpp
              ${ARGN}
      LIBRARIES umbra_plugin_driver)
  add_dependencies(${test} ${plugin} storage_crash_writer)
  target_compile_definitions(${test} PRIVATE
      UMBRA_TEST_PLUGIN="$<TARGET_FILE:${plugin}>"
      UMBRA_TEST_CRASH_WRITER="$<TARGET_FILE:storage_crash_writer>")
endfunction()

# umbra_add_failpoints(<test>): it may start programs that end in the middle of something.
function(umbra_add_failpoints test)
  target_sources(${test} PRIVATE
      ${PROJECT_SOURCE_DIR}/tests/integration/failpoint/failpoint.cpp
      ${PROJECT_SOURCE_DIR}/tests/integration/failpoint/trace.cpp
      ${PROJECT_SOURCE_DIR}/tests/integration/plugin/storage_script.cpp)
  add_dependencies(${test} umbra_failpoint storage_script_runner)
  target_compile_definitions(${test} PRIVATE
      UMBRA_TEST_FAILPOINT="$<TARGET_FILE:umbra_failpoint>"
      UMBRA_TEST_SCRIPT_RUNNER="$<TARGET_FILE:storage_script_runner>")
endfunction()

# edit_load SOCKET EDITORS SECONDS: editors at a running instance, for tests/bench/edits.py.
add_executable(edit_load ${CMAKE_CURRENT_LIST_DIR}/bench/edit_load.cpp)
target_link_libraries(edit_load PRIVATE umbra_build_options)
