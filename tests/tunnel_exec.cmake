# The tunnel provider `exec`.
include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
umbra_add_test(tunnel_exec_test LABEL unit
    SOURCES unit/tunnel_exec/mappings_file_test.cpp
    LIBRARIES umbra_exec_tunnel)
umbra_add_test(tunnel_exec_integration_test LABEL integration
    SOURCES integration/tunnel_exec/exec_tunnel_test.cpp integration/plugin/sockets.cpp
    LIBRARIES umbra_plugin_driver)
add_dependencies(tunnel_exec_integration_test umbra-tunnel-exec)
target_compile_definitions(tunnel_exec_integration_test PRIVATE
    UMBRA_TEST_PLUGIN="$<TARGET_FILE:umbra-tunnel-exec>")

# What `ssh` and `exec` share.
umbra_add_test(tunnel_supervised_test LABEL unit
    SOURCES unit/supervised/supervised_test.cpp
    LIBRARIES umbra_supervised umbra_plugin_driver)
