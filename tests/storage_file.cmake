if(TARGET umbra-storage-file)
  umbra_add_test(storage_file_test LABEL unit
      SOURCES unit/storage_file/crc32c_test.cpp unit/storage_file/format_test.cpp
              unit/storage_file/scan_test.cpp unit/storage_file/log_store_test.cpp
      LIBRARIES umbra_file_storage)
  target_compile_definitions(storage_file_test PRIVATE
      UMBRA_STORAGE_FILE_README="${PROJECT_SOURCE_DIR}/plugins/storage/file/README.md")

  include(${CMAKE_CURRENT_LIST_DIR}/plugin_driver.cmake)
  umbra_add_storage_conformance(storage_file_integration_test umbra-storage-file
      integration/plugin/storage_faults.cpp
      integration/storage_file/under_test.cpp
      integration/plugin/storage_points_test.cpp
      integration/storage_file/faults_test.cpp)
  umbra_add_failpoints(storage_file_integration_test)
  # Its fsync() and fdatasync() stand in front of those of the C library.
  set_target_properties(storage_file_integration_test PROPERTIES ENABLE_EXPORTS ON)
endif()
