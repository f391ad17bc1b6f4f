umbra_add_test(core_test LABEL unit
    SOURCES
        unit/core/compaction_test.cpp
        unit/core/damping_test.cpp
        unit/core/divergence_test.cpp
        unit/core/drift_test.cpp
        unit/core/document_test.cpp
        unit/core/gateways_test.cpp
        unit/core/log_test.cpp
        unit/core/merge_test.cpp
        unit/core/node_replication_test.cpp
        unit/core/node_roles_test.cpp
        unit/core/node_tunnels_test.cpp
        unit/core/node_timing_test.cpp
        unit/core/operations_test.cpp
        unit/core/partitions_test.cpp
        unit/core/peer_watch_test.cpp
        unit/core/snapshot_test.cpp
        unit/core/state_test.cpp
        unit/core/wire_test.cpp
    LIBRARIES umbra::core)
target_compile_definitions(core_test PRIVATE
    UMBRA_CORE_README="${PROJECT_SOURCE_DIR}/runtime/core/README.md")
