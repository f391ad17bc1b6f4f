#include "state_file.hpp"

#include "unit/base/temp_directory.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/core/damping.hpp>

#include <gmock/gmock.h>

#include <chrono>

namespace umbra::instance {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class StateFileTest : public testing::Test {
protected:
    InstanceState state() {
        InstanceState made;
        made.name = "alpha";
        made.incarnation = "disk";
        made.persistent.unplanned = {Instant{5min}, Instant{6min}};
        return made;
    }
    std::vector<Instant> stored() { return load_state(dir.path()).value()->persistent.unplanned; }
    std::string text() { return base::read_file(dir.path() / "state.json", 65536).value(); }
    void write(const std::string& content) {
        ASSERT_TRUE(base::replace_file(dir.path() / "state.json", content).ok());
    }

    test::TempDirectory dir;
};

TEST_F(StateFileTest, UnplannedChangesOutliveTheProcess) {
    ASSERT_TRUE(save_state(dir.path(), state()).ok());
    EXPECT_EQ(stored(), state().persistent.unplanned);
}

TEST_F(StateFileTest, WithoutSuchChangesNothingIsSaidAndAFileWithoutThemIsRead) {
    auto calm = state();
    calm.persistent.unplanned.clear();
    ASSERT_TRUE(save_state(dir.path(), calm).ok());
    EXPECT_THAT(text(), testing::Not(HasSubstr("unplanned")));
    EXPECT_THAT(stored(), testing::IsEmpty());
}

TEST_F(StateFileTest, AfterARebootTheyCountFromItsBeginning) {
    ASSERT_TRUE(save_state(dir.path(), state()).ok());
    auto other = text();
    const auto at = other.find("\"boot\":\"") + 8;
    other[at] = other[at] == 'f' ? '0' : 'f';
    write(other);
    EXPECT_EQ(stored(), (std::vector<Instant>{Instant{}, Instant{}}));
}

TEST_F(StateFileTest, MoreThanAreKeptAreNotRead) {
    auto many = state();
    many.persistent.unplanned.assign(core::Damping::kept + 1, Instant{5min});
    many.persistent.unplanned.front() = Instant{1min};
    ASSERT_TRUE(save_state(dir.path(), many).ok());
    EXPECT_EQ(stored(), std::vector<Instant>(core::Damping::kept, Instant{5min}));
}

TEST_F(StateFileTest, AFileThatDoesNotKnowWhetherThereWasAConfigurationIsRead) {
    auto had = state();
    had.stored = true;
    ASSERT_TRUE(save_state(dir.path(), had).ok());
    EXPECT_TRUE(load_state(dir.path()).value()->stored);
    auto older = text();
    const std::string field = "\"stored\":true,";
    ASSERT_NE(older.find(field), std::string::npos);
    write(older.erase(older.find(field), field.size()));
    EXPECT_FALSE(load_state(dir.path()).value()->stored);
}

TEST_F(StateFileTest, ANewcomerWasNeverHereAndTakesNoRole) {
    auto master = state();
    master.persistent.role = core::Role::master;
    master.persistent.epoch = 7;
    master.persistent.connect = false;
    make_newcomer(master);
    EXPECT_NE(master.incarnation, "disk");
    EXPECT_EQ(master.persistent.role, core::Role::shadow);
    EXPECT_TRUE(master.persistent.yielded);
    EXPECT_TRUE(master.persistent.connect) << "it has to find its master";
    EXPECT_EQ(master.persistent.epoch, 7U);

    auto shadow = state();
    shadow.persistent.role = core::Role::shadow;
    shadow.persistent.connect = false;
    make_newcomer(shadow);
    EXPECT_FALSE(shadow.persistent.connect) << "as an operator ordered";
}

}  // namespace
}  // namespace umbra::instance
