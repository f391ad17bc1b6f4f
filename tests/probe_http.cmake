include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
umbra_add_test(probe_http_test LABEL unit
    SOURCES unit/probe_http/judge_test.cpp unit/probe_http/url_test.cpp
    LIBRARIES umbra_http_probe)
umbra_add_test(probe_http_integration_test LABEL integration
    SOURCES integration/probe_http/http_probe_test.cpp integration/plugin/sockets.cpp
    LIBRARIES umbra_plugin_driver)
add_dependencies(probe_http_integration_test umbra-probe-http)
target_compile_definitions(probe_http_integration_test PRIVATE
    UMBRA_TEST_PLUGIN="$<TARGET_FILE:umbra-probe-http>")
