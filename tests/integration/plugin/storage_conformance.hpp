#pragma once

#include "integration/plugin/driver.hpp"

#include <string>

namespace umbra::plugin_test {

/// What every storage has to promise, run against the shared object of one. A test program links
/// storage_conformance.cpp and defines `storage_under_test()`. Each test gets a state directory of
/// its own.
struct StorageUnderTest {
    std::string file;  ///< Path of the shared object.
    OptionValues options;
    std::string crash_writer;     ///< Path of the program storage_crash_writer.
    int crash_rounds = 40;        ///< How often the writer is killed.
    bool locks_directory = true;  ///< A second opener of the same state directory is refused.
    /// For the script of storage_points_test.cpp, so that it meets all that the storage does.
    OptionValues script_options = {};
};

StorageUnderTest storage_under_test();

}  // namespace umbra::plugin_test
