#include "integration/plugin/storage_conformance.hpp"

namespace umbra::plugin_test {

StorageUnderTest storage_under_test() {
    return {UMBRA_TEST_PLUGIN, {}, UMBRA_TEST_CRASH_WRITER, 60, true, {{"checkpoint_pages", 8}}};
}

}  // namespace umbra::plugin_test
