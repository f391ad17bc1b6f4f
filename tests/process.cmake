# Programs that plugins run: what they share, and the probe `exec`.
umbra_add_test(process_test LABEL unit
    SOURCES unit/process/backoff_test.cpp unit/process/environment_test.cpp
            unit/process/lines_test.cpp
    LIBRARIES umbra_process)
umbra_add_test(process_integration_test LABEL integration
    SOURCES integration/process/child_test.cpp
    LIBRARIES umbra_process)

include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
umbra_add_test(probe_exec_test LABEL unit
    SOURCES unit/probe_exec/judge_test.cpp
    LIBRARIES umbra_exec_probe)
umbra_add_test(probe_exec_integration_test LABEL integration
    SOURCES integration/probe_exec/exec_probe_test.cpp
    LIBRARIES umbra_plugin_driver)
add_dependencies(probe_exec_integration_test umbra-probe-exec)
target_compile_definitions(probe_exec_integration_test PRIVATE
    UMBRA_TEST_PLUGIN="$<TARGET_FILE:umbra-probe-exec>")

# What the probes `http` and `exec` share.
umbra_add_test(probe_threaded_test LABEL unit
    SOURCES unit/probe_threaded/checks_test.cpp
    LIBRARIES umbra_threaded_probe umbra_plugin_driver)
