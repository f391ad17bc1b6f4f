#include <umbra/base/memory.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace umbra::base {
namespace {

/// Resident pages of files, in KiB.
long resident_of_files() {
    std::ifstream status{"/proc/self/status"};
    for (std::string word; status >> word;) {
        long size = 0;
        if (word == "RssFile:" && status >> size) return size;
    }
    return -1;
}

TEST(Memory, PagesOfFilesAreGivenBackAndComeBackWhenUsed) {
    const long before = resident_of_files();
    release_start_pages();
    const long after = resident_of_files();
    ASSERT_GT(after, 0);
    EXPECT_LT(after, before);
    EXPECT_THROW(throw std::string{"unwinding needs code and tables of three libraries"},
                 std::string);
}

}  // namespace
}  // namespace umbra::base
