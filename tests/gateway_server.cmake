if(TARGET umbra_gateway_protocol)
  umbra_add_test(gateway_register_tests LABEL unit
    SOURCES unit/gateway/register_claims_test.cpp unit/gateway/register_members_test.cpp
            unit/gateway/record_test.cpp unit/gateway/invitation_test.cpp
    LIBRARIES umbra_gateway_protocol)
endif()
if(TARGET umbra_gateway_server)
  umbra_add_test(gateway_server_state_tests LABEL unit
    SOURCES unit/gateway/server_state_test.cpp unit/gateway/server_reload_test.cpp
            unit/gateway/networks_test.cpp unit/gateway/admission_test.cpp
            unit/gateway/preambles_test.cpp unit/gateway/server_settings_test.cpp
            unit/gateway/tick_test.cpp
    LIBRARIES umbra_gateway_server)
  umbra_add_test(gateway_server_tests LABEL integration
    SOURCES integration/gateway/server_test.cpp integration/gateway/ways_in_test.cpp
            integration/gateway/channels_test.cpp integration/gateway/keys_test.cpp
            integration/gateway/parking_test.cpp
    LIBRARIES umbra_gateway_link umbra_base OpenSSL::Crypto)
  target_compile_definitions(gateway_server_tests PRIVATE
    UMBRA_GATEWAY_PROGRAM="$<TARGET_FILE:umbra-gateway>")
  add_dependencies(gateway_server_tests umbra-gateway)
endif()
