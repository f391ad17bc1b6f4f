find_package(SQLite3 REQUIRED)

umbra_add_test(storage_queue_test LABEL unit
    SOURCES unit/storage_queue/queue_test.cpp unit/storage_queue/mark_test.cpp
    LIBRARIES umbra_storage_queue)
target_compile_definitions(storage_queue_test PRIVATE
    UMBRA_STORAGE_SQLITE_README="${PROJECT_SOURCE_DIR}/plugins/storage/sqlite/README.md")

include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
umbra_add_storage_conformance(storage_sqlite_integration_test umbra-storage-sqlite
    integration/plugin/storage_faults.cpp
      integration/storage_sqlite/under_test.cpp
      integration/plugin/storage_points_test.cpp
      integration/storage_sqlite/faults_test.cpp
    integration/storage_sqlite/schema_test.cpp)
umbra_add_failpoints(storage_sqlite_integration_test)
target_link_libraries(storage_sqlite_integration_test PRIVATE SQLite::SQLite3)
# Its fsync() and fdatasync() stand in front of those of the C library.
set_target_properties(storage_sqlite_integration_test PROPERTIES ENABLE_EXPORTS ON)
