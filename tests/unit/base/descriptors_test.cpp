#include <umbra/base/descriptors.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <sys/resource.h>

namespace umbra::base {
namespace {

TEST(Descriptors, TheSoftLimitBecomesTheHardOne) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit low = before;
    low.rlim_cur = 128;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    const auto told = raise_descriptor_limit();
    rlimit after{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
    EXPECT_EQ(after.rlim_cur, before.rlim_max);
    constexpr rlim_t told_most = 1024 * 1024;
    EXPECT_EQ(told, std::min(before.rlim_max, told_most));
    ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace umbra::base
