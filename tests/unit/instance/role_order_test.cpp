#include "state_file.hpp"
#include "unit/base/temp_directory.hpp"
#include <umbra/instance/run.hpp>

#include <gmock/gmock.h>

namespace umbra::instance {
namespace {

using testing::HasSubstr;

class RoleOrderTest : public testing::Test {
protected:
    void store(core::Role role) {
        InstanceState state;
        state.name = "alpha";
        state.incarnation = "disk";
        state.persistent.role = role;
        state.persistent.epoch = 7;
        state.persistent.pause = {true, 3, 99};
        state.stored = true;
        ASSERT_TRUE(save_state(dir.path(), state).ok());
    }
    core::Persistent stored() { return load_state(dir.path()).value()->persistent; }

    test::TempDirectory dir;
};

TEST_F(RoleOrderTest, AMasterIsMadeAShadowThatWaitsForAMaster) {
    store(core::Role::master);
    const auto told = order_role(dir.path(), core::Role::shadow);
    ASSERT_TRUE(told.ok());
    EXPECT_THAT(*told, HasSubstr("alpha was master and starts as shadow"));
    core::Persistent expected;
    expected.role = core::Role::shadow;
    expected.epoch = 7;
    expected.yielded = true;
    expected.pause = {true, 3, 99};
    EXPECT_EQ(stored(), expected) << "nothing else changed";
    EXPECT_TRUE(load_state(dir.path()).value()->stored);
}

TEST_F(RoleOrderTest, AShadowIsMadeAMaster) {
    store(core::Role::shadow);
    ASSERT_TRUE(order_role(dir.path(), core::Role::master).ok());
    EXPECT_EQ(stored().role, core::Role::master);
    EXPECT_FALSE(stored().yielded);
    EXPECT_FALSE(load_state(dir.path()).value()->stored) << "with nothing, if that is what it has";
}

TEST_F(RoleOrderTest, AnInstanceThatRunsIsLeftAlone) {
    store(core::Role::master);
    const auto held = DataDirLock::take(dir.path());
    ASSERT_TRUE(held.ok());
    const auto told = order_role(dir.path(), core::Role::shadow);
    ASSERT_FALSE(told.ok());
    EXPECT_EQ(told.error().code, Errc::conflict);
    EXPECT_EQ(stored().role, core::Role::master);
}

TEST_F(RoleOrderTest, ADirectoryThatNobodyUsedIsNamed) {
    for (const auto& place : {dir.path(), dir.path() / "missing"}) {
        const auto told = order_role(place, core::Role::shadow);
        ASSERT_FALSE(told.ok());
        EXPECT_EQ(told.error().code, Errc::invalid);
        EXPECT_THAT(told.error().message, HasSubstr(place.string()));
    }
    EXPECT_FALSE(std::filesystem::exists(dir.path() / "missing"));
}

}  // namespace
}  // namespace umbra::instance
