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
        unit/config/reload_test.cpp
    LIBRARIES umbra::config)
target_compile_definitions(config_test PRIVATE UMBRA_EXAMPLES="${PROJECT_SOURCE_DIR}/configs")

# The examples against the plugins of this tree.
set(umbra_config_parts
    umbra-transport-zeromq umbra-storage-file umbra-storage-sqlite umbra-storage-etcd
    umbra-probe-tcp umbra-probe-http umbra-probe-exec umbra-tunnel-gateway umbra-tunnel-ssh umbra-tunnel-exec umbra-gateway)
umbra_add_test(config_plugins_test LABEL integration
    SOURCES integration/config/real_plugins_test.cpp
    LIBRARIES umbra::config umbra::host)
target_compile_definitions(config_plugins_test PRIVATE
    UMBRA_EXAMPLES="${PROJECT_SOURCE_DIR}/configs"
    UMBRA_PLUGINS="${UMBRA_PLUGIN_OUTPUT_DIRECTORY}"
    UMBRA_GATEWAY="$<TARGET_FILE:umbra-gateway>")
add_dependencies(config_plugins_test ${umbra_config_parts})
