umbra_add_test(config_test LABEL unit
    SOURCES
        unit/config/check_file_test.cpp
        unit/config/document_test.cpp
        unit/config/examples_test.cpp
        unit/config/instance_file_test.cpp
        unit/config/options_test.cpp
        unit/config/problem_test.cpp
        unit/config/sample_catalog.cpp
        unit/config/schema_test.cpp
        unit/config/shared_config_test.cpp
        unit/config/source_test.cpp
        unit/config/values_test.cpp
    LIBRARIES umbra::config)
target_compile_definitions(config_test PRIVATE UMBRA_EXAMPLES="${PROJECT_SOURCE_DIR}/configs")
