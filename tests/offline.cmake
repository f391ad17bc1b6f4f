umbra_add_test(seal_test LABEL unit SOURCES unit/seal/seal_test.cpp LIBRARIES umbra_seal)
target_include_directories(seal_test PRIVATE ${PROJECT_SOURCE_DIR}/runtime/seal/src)

umbra_add_test(offline_test LABEL unit
    SOURCES unit/instance/backup_content_test.cpp unit/instance/migration_mark_test.cpp
    LIBRARIES umbra_instance umbra_base umbra_config umbra_host)
target_include_directories(offline_test PRIVATE ${PROJECT_SOURCE_DIR}/runtime/instance/src)

include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
find_program(UMBRA_ETCD etcd NO_CACHE)
find_program(UMBRA_ETCDCTL etcdctl NO_CACHE)
umbra_add_test(offline_integration_test LABEL integration TIMEOUT 300
    SOURCES integration/offline/migrate_test.cpp integration/offline/backup_test.cpp
            integration/offline/points_test.cpp integration/offline/repair_test.cpp
            integration/storage_etcd/etcd_server.cpp
    LIBRARIES umbra_instance umbra_base umbra_config umbra_host umbra_seal umbra_plugin_driver util)
umbra_add_failpoints(offline_integration_test)
target_include_directories(offline_integration_test PRIVATE
    ${PROJECT_SOURCE_DIR}/runtime/instance/src)
target_compile_definitions(offline_integration_test PRIVATE
    UMBRA_PROGRAM="$<TARGET_FILE:umbra>"
    UMBRA_TEST_PLUGINS="${UMBRA_PLUGIN_OUTPUT_DIRECTORY}"
    UMBRA_TEST_BAD_PLUGINS="${umbra_host_test_plugins}/good"
    UMBRA_TEST_ETCD="$<$<BOOL:${UMBRA_ETCD}>:${UMBRA_ETCD}>"
    UMBRA_TEST_ETCDCTL="$<$<BOOL:${UMBRA_ETCDCTL}>:${UMBRA_ETCDCTL}>")
add_dependencies(offline_integration_test
    umbra umbra-storage-file umbra-storage-sqlite umbra-storage-etcd umbra-storage-memory)
