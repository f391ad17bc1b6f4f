if(TARGET umbra-probe-tcp)
  umbra_add_test(probe_tcp_test LABEL unit
      SOURCES unit/probe_tcp/endpoint_test.cpp unit/probe_tcp/attempt_test.cpp
              unit/sdk/deadline_test.cpp
      LIBRARIES umbra_tcp_probe)

  include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
  umbra_add_test(probe_tcp_integration_test LABEL integration
      SOURCES integration/probe_tcp/tcp_probe_test.cpp
      LIBRARIES umbra_plugin_driver)
  add_dependencies(probe_tcp_integration_test umbra-probe-tcp)
  target_compile_definitions(probe_tcp_integration_test PRIVATE
      UMBRA_TEST_PLUGIN="$<TARGET_FILE:umbra-probe-tcp>")
endif()
