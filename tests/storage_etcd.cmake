# Against a real etcd, which each test starts and ends.
find_program(UMBRA_ETCD etcd NO_CACHE)
find_program(UMBRA_ETCDCTL etcdctl NO_CACHE)

include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
if(UMBRA_ETCD AND UMBRA_ETCDCTL)
  umbra_add_storage_conformance(storage_etcd_integration_test umbra-storage-etcd
      integration/storage_etcd/under_test.cpp integration/storage_etcd/etcd_server.cpp
      integration/storage_etcd/cutting_proxy.cpp
      integration/storage_etcd/etcd_test.cpp integration/storage_etcd/access_test.cpp
      integration/storage_etcd/points_test.cpp integration/storage_etcd/watch_test.cpp)
  target_link_libraries(storage_etcd_integration_test PRIVATE umbra_etcd umbra_etcd_json)
  umbra_add_failpoints(storage_etcd_integration_test)
  target_compile_definitions(storage_etcd_integration_test PRIVATE
      UMBRA_TEST_ETCD="${UMBRA_ETCD}" UMBRA_TEST_ETCDCTL="${UMBRA_ETCDCTL}")
else()
  set(umbra_why "etcd is not installed: packaging/install-build-tools.sh --tests installs it")
  add_test(NAME storage_etcd_integration_test COMMAND ${CMAKE_COMMAND} -E echo ${umbra_why})
  set_tests_properties(storage_etcd_integration_test PROPERTIES
      LABELS integration SKIP_REGULAR_EXPRESSION ${umbra_why})
endif()

umbra_add_test(storage_etcd_test LABEL unit
    SOURCES unit/etcd/endpoint_test.cpp unit/etcd/json_text_test.cpp
            unit/storage_etcd/layout_test.cpp
    LIBRARIES umbra_etcd_storage)
target_compile_definitions(storage_etcd_test PRIVATE
    UMBRA_STORAGE_ETCD_README="${PROJECT_SOURCE_DIR}/plugins/storage/etcd/README.md")
