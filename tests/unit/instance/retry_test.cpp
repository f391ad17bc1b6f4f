// Two edits under one operation id: the same one again, or another that must not be taken for it.

#include "retry.hpp"

#include "editor.hpp"
#include "simulation/hash.hpp"
#include "unit/config/sample_catalog.hpp"

#include <gmock/gmock.h>

namespace umbra::instance {
namespace {

using testing::HasSubstr;

Edit changes(std::vector<core::Change> list, const std::string& op_id = "job") {
    Edit edit;
    edit.author = "ann";
    edit.changes = std::move(list);
    edit.op_id = op_id;
    return edit;
}

class RetryTest : public ::testing::Test {
protected:
    RetryTest() {
        make(changes({{"takeover.grace_period", "30s"}}, "first"));
        make(
            changes({{"takeover.grace_period", "40s"}, {"takeover.acknowledge", "one"}}, "second"));
    }
    void make(const Edit& edit) {
        auto checked = check_edit(edit, log, catalog);
        ASSERT_TRUE(std::holds_alternative<CheckedEdit>(checked));
        log.append(1, std::get<CheckedEdit>(checked).entry);
    }
    /// Made, then something else after it, then asked for again.
    void expect_known(const Edit& made) {
        make(made);
        make(changes({{"takeover.on_tunnel_loss", "9s"}, {"takeover.grace_period", "59s"}}, ""));
        EXPECT_FALSE(is_other(made));
    }
    std::optional<Reply> is_other(const Edit& edit) { return not_a_retry(edit, log, catalog); }

    config::SampleCatalog catalog;
    core::Log log{&simulation::quick_hash};
};

TEST_F(RetryTest, TheSameValuesAreTheSameEditWhateverCameAfterIt) {
    expect_known(changes({{"takeover.grace_period", "50s"}, {"takeover.acknowledge", "one"}}));
}

TEST_F(RetryTest, SoIsTheSameRemoval) { expect_known(changes({{"takeover", std::nullopt}})); }

TEST_F(RetryTest, SoIsTheSameFile) {
    Edit edit;
    edit.document = "[takeover]\ngrace_period = \"45s\"\n";
    edit.op_id = "job";
    expect_known(edit);
    edit.document = "[takeover]\ngrace_period = \"46s\"\n";
    EXPECT_TRUE(is_other(edit));
}

TEST_F(RetryTest, SoIsARollbackToTheSameRevision) {
    Edit edit;
    edit.rollback_to = "1.1";
    edit.op_id = "job";
    expect_known(edit);
    edit.rollback_to = "1.10";
    EXPECT_TRUE(is_other(edit));
    EXPECT_TRUE(is_other(changes({{"takeover.grace_period", "31s"}})));
}

TEST_F(RetryTest, AnotherValueIsAnotherEditAndIsToldWhose) {
    const auto other = is_other(changes({{"takeover.grace_period", "41s"}}, "first"));
    ASSERT_TRUE(other);
    EXPECT_EQ(other->outcome, Outcome::refused);
    EXPECT_EQ(other->message,
              "the operation id first is that of another edit, revision 1.1 by ann; give this one "
              "an id of its own");
}

TEST_F(RetryTest, APartOfWhatWasChangedIsAnotherEdit) {
    EXPECT_TRUE(is_other(changes({{"takeover.grace_period", "40s"}}, "second")));
    EXPECT_TRUE(is_other(changes({{"takeover.grace_period", "40s"},
                                  {"takeover.acknowledge", "one"},
                                  {"takeover.on_tunnel_loss", "9s"}},
                                 "second")));
    EXPECT_TRUE(is_other(changes({{"takeover", std::nullopt}}, "second")));
}

TEST_F(RetryTest, AnIdThatNobodyHasOrThatWasCompactedDecidesNothing) {
    EXPECT_FALSE(is_other(changes({{"takeover.grace_period", "41s"}}, "third")));
    log.compact(1);
    EXPECT_FALSE(is_other(changes({{"takeover.grace_period", "41s"}}, "first")));
    EXPECT_TRUE(is_other(changes({{"takeover.grace_period", "41s"}}, "second")));
}

}  // namespace
}  // namespace umbra::instance
