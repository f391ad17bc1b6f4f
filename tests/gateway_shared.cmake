# Several gateways on one register: against a real etcd, which each test starts and ends.
include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
find_program(UMBRA_ETCD etcd NO_CACHE)
find_program(UMBRA_ETCDCTL etcdctl NO_CACHE)

umbra_add_test(gateway_shared_unit_tests LABEL unit
  SOURCES unit/gateway/register_shared_test.cpp unit/gateway/other_gateways_test.cpp
          unit/gateway/shared_values_test.cpp unit/gateway/register_settings_test.cpp
  LIBRARIES umbra_gateway_server)
target_compile_definitions(gateway_shared_unit_tests PRIVATE
  UMBRA_EXAMPLES="${PROJECT_SOURCE_DIR}/configs")
if(UMBRA_ETCD AND UMBRA_ETCDCTL)
  umbra_add_test(gateway_shared_tests LABEL integration
    SOURCES integration/gateway/shared_register_test.cpp integration/storage_etcd/etcd_server.cpp
    LIBRARIES umbra_plugin_driver umbra_gateway_link umbra_base OpenSSL::Crypto)
  target_compile_definitions(gateway_shared_tests PRIVATE
    UMBRA_GATEWAY_PROGRAM="$<TARGET_FILE:umbra-gateway>"
    UMBRA_TEST_ETCD="${UMBRA_ETCD}" UMBRA_TEST_ETCDCTL="${UMBRA_ETCDCTL}")
  add_dependencies(gateway_shared_tests umbra-gateway)
else()
  set(umbra_why "etcd is not installed: packaging/install-build-tools.sh --tests installs it")
  add_test(NAME gateway_shared_tests COMMAND ${CMAKE_COMMAND} -E echo ${umbra_why})
  set_tests_properties(gateway_shared_tests PROPERTIES
      LABELS integration SKIP_REGULAR_EXPRESSION ${umbra_why})
endif()
