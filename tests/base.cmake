umbra_add_test(base_test LABEL unit
    SOURCES unit/base/clock_test.cpp unit/base/descriptors_test.cpp
            unit/base/durable_file_test.cpp unit/base/http_test.cpp
            unit/base/log_test.cpp unit/base/memory_test.cpp unit/base/notify_test.cpp
    LIBRARIES umbra_base)
