if(TARGET umbra_gateway_protocol)
  umbra_add_test(gateway_register_tests LABEL unit
    SOURCES unit/gateway/register_test.cpp unit/gateway/invitation_test.cpp
    LIBRARIES umbra_gateway_protocol)
endif()
