umbra_add_test(instance_test LABEL unit
    SOURCES unit/config/sample_catalog.cpp unit/instance/divergence_test.cpp unit/instance/editor_test.cpp unit/instance/paced_test.cpp unit/instance/initial_import_test.cpp unit/instance/journal_test.cpp unit/instance/retry_test.cpp unit/instance/role_order_test.cpp unit/instance/state_file_test.cpp
    LIBRARIES umbra_instance umbra_base umbra_config umbra_host)
target_include_directories(instance_test PRIVATE ${PROJECT_SOURCE_DIR}/runtime/instance/src)
