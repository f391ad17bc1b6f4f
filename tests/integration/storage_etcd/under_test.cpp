#include "integration/plugin/storage_conformance.hpp"
#include "integration/storage_etcd/etcd_server.hpp"

#include <gtest/gtest.h>

namespace umbra::plugin_test {

StorageUnderTest storage_under_test() {
    static const EtcdServer server;
    // Each test has a place of its own there, as it has a state directory.
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    const OptionValues options{{"endpoints", std::vector<std::string>{server.url()}},
                               {"prefix", std::string{"/conformance/"} + test->name() + "/"}};
    return {UMBRA_TEST_PLUGIN, options, UMBRA_TEST_CRASH_WRITER, 30, true};
}

}  // namespace umbra::plugin_test
