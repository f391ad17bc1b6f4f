if(TARGET umbra_gateway_protocol)
  umbra_add_test(gateway_protocol_test LABEL unit
    SOURCES unit/gateway/frame_test.cpp unit/gateway/window_test.cpp unit/gateway/control_test.cpp unit/gateway/open_test.cpp
    LIBRARIES umbra_gateway_protocol)
endif()
if(TARGET umbra_gateway_link)
  umbra_add_test(gateway_link_test LABEL integration
    SOURCES integration/gateway/link_test.cpp integration/gateway/link_abuse_test.cpp
            integration/gateway/link_faults_test.cpp
            unit/gateway/byte_queue_test.cpp unit/gateway/next_key_test.cpp
            unit/gateway/sparse_traffic_test.cpp
    LIBRARIES umbra_gateway_link OpenSSL::SSL)
  target_include_directories(gateway_link_test PRIVATE
    ${PROJECT_SOURCE_DIR}/plugins/tunnel/gateway/link/src)
endif()
if(TARGET umbra_gateway_agent)
  umbra_add_test(gateway_agent_parts_test LABEL unit
    SOURCES unit/gateway/agent_parts_test.cpp unit/gateway/backend_parts_test.cpp
            unit/gateway/proxy_test.cpp
            unit/gateway/http_test.cpp unit/gateway/http_fuzz_test.cpp
    LIBRARIES umbra_gateway_agent)
  umbra_add_test(gateway_agent_test LABEL integration
    SOURCES integration/gateway/agent_enrolment_test.cpp
            integration/gateway/agent_channels_test.cpp
            integration/gateway/agent_checks_test.cpp
            integration/gateway/agent_links_test.cpp
            integration/gateway/agent_backends_test.cpp
            integration/gateway/agent_http_test.cpp
            integration/gateway/agent_keys_test.cpp
            integration/gateway/agent_proxy_test.cpp
            integration/gateway/agent_serving_test.cpp
            integration/gateway/agent_tls_test.cpp
    LIBRARIES umbra_gateway_agent OpenSSL::SSL)
  find_program(UMBRA_TINYPROXY tinyproxy NO_CACHE)
  if(UMBRA_TINYPROXY)
    target_compile_definitions(gateway_agent_test PRIVATE UMBRA_TEST_TINYPROXY="${UMBRA_TINYPROXY}")
  endif()
endif()
