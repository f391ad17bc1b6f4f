#include "integration/gateway/link_fixture.hpp"
#include <umbra/gateway/next_key.hpp>

#include <fstream>
#include <sys/stat.h>

namespace umbra::gateway {
namespace {

using namespace testing;

class NextKeyTest : public ::testing::Test {
protected:
    std::string present() const { return identity_in(dir.path(), Side::gateway).pin(); }
    std::string next() const { return next_key_pin(dir.path()).value(); }

    TempDir dir;
};

TEST_F(NextKeyTest, ItWaitsBesideThePresentOne) {
    const std::string before = present();
    EXPECT_EQ(next(), "");
    const auto made = make_next_key(dir.path());
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_TRUE(is_pin(*made));
    EXPECT_EQ(next(), *made);
    EXPECT_EQ(present(), before);
    EXPECT_NE(before, *made);
    struct stat info {};
    ASSERT_EQ(::stat((dir.path() / "tls.next.key").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(NextKeyTest, ItReplacesThePresentOne) {
    (void)present();
    const std::string made = make_next_key(dir.path()).value();
    ASSERT_TRUE(use_next_key(dir.path()).ok());
    EXPECT_EQ(present(), made);
    EXPECT_EQ(next(), "");
    EXPECT_EQ(present(), made) << "also with the certificate that was made for it";
}

TEST_F(NextKeyTest, OneAtATime) {
    (void)present();
    EXPECT_EQ(use_next_key(dir.path()).error().code, Errc::conflict);
    const std::string made = make_next_key(dir.path()).value();
    EXPECT_EQ(make_next_key(dir.path()).error().code, Errc::conflict);
    EXPECT_EQ(next(), made);
}

TEST_F(NextKeyTest, ItCanBeTakenBack) {
    const std::string before = present();
    EXPECT_TRUE(drop_next_key(dir.path()).ok()) << "there is none";
    (void)make_next_key(dir.path());
    EXPECT_TRUE(drop_next_key(dir.path()).ok());
    EXPECT_EQ(next(), "");
    EXPECT_EQ(present(), before);
}

/// What is on the disk between two steps of use_next_key().
TEST_F(NextKeyTest, ACrashLeavesTheOldKeyOrTheNewOne) {
    const std::string before = present();
    const std::string made = make_next_key(dir.path()).value();
    std::filesystem::remove(dir.path() / "tls.crt");
    EXPECT_EQ(present(), before);
    EXPECT_EQ(next(), made);
    std::filesystem::remove(dir.path() / "tls.crt");
    std::filesystem::rename(dir.path() / "tls.next.key", dir.path() / "tls.key");
    EXPECT_EQ(present(), made);
    EXPECT_EQ(next(), "");
}

TEST_F(NextKeyTest, ADamagedOneIsNotUsed) {
    const std::string before = present();
    std::ofstream(dir.path() / "tls.next.key") << "no key";
    EXPECT_EQ(next_key_pin(dir.path()).error().code, Errc::data_loss);
    EXPECT_EQ(use_next_key(dir.path()).error().code, Errc::data_loss);
    EXPECT_EQ(present(), before);
}

}  // namespace
}  // namespace umbra::gateway
