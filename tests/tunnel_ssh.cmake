# The tunnel provider `ssh`, against a real sshd on loopback.
include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
umbra_add_test(tunnel_ssh_integration_test LABEL integration
    SOURCES integration/tunnel_ssh/ssh_tunnel_test.cpp integration/tunnel_ssh/sshd.cpp
            integration/plugin/sockets.cpp
    LIBRARIES umbra_plugin_driver)
add_dependencies(tunnel_ssh_integration_test umbra-tunnel-ssh)
target_compile_definitions(tunnel_ssh_integration_test PRIVATE
    UMBRA_TEST_PLUGIN="$<TARGET_FILE:umbra-tunnel-ssh>")

umbra_add_test(tunnel_ssh_test LABEL unit
    SOURCES unit/tunnel_ssh/command_line_test.cpp unit/tunnel_ssh/mux_test.cpp
            unit/tunnel_ssh/plan_test.cpp unit/tunnel_ssh/reason_test.cpp
    LIBRARIES umbra_ssh_tunnel)
