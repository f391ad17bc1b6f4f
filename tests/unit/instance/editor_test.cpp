// What becomes of an edit before the core sees it, and what is shown of the history.

#include "editor.hpp"

#include "simulation/hash.hpp"
#include "unit/config/sample_catalog.hpp"
#include <umbra/config/shared_config.hpp>
#include <umbra/config/shared_document.hpp>

#include <gmock/gmock.h>

namespace umbra::instance {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class EditorTest : public ::testing::Test {
protected:
    EditorTest() {
        add({{"takeover.grace_period", "\"30s\""}});
        add({{"takeover.grace_period", "\"40s\""}, {"takeover.on_tunnel_loss", "\"5s\""}});
        add({{"takeover.on_tunnel_loss", std::nullopt}});
    }
    void add(std::vector<core::Change> changes) {
        core::Entry entry;
        entry.changes = std::move(changes);
        log.append(1, std::move(entry));
    }
    std::variant<CheckedEdit, Reply> check(const Edit& edit) {
        return check_edit(edit, log, catalog);
    }
    Reply refused(const Edit& edit) {
        auto result = check(edit);
        EXPECT_TRUE(std::holds_alternative<Reply>(result));
        return std::holds_alternative<Reply>(result) ? std::get<Reply>(result) : Reply{};
    }

    config::SampleCatalog catalog;
    core::Log log{&simulation::quick_hash};
};

Edit rollback(const std::string& revision, const std::string& message = {}) {
    Edit edit;
    edit.rollback_to = revision;
    edit.message = message;
    return edit;
}

TEST_F(EditorTest, RollbackIsANewEditThatSaysSo) {
    const auto result = check(rollback("1.1", "slower again"));
    ASSERT_TRUE(std::holds_alternative<CheckedEdit>(result));
    const auto& checked = std::get<CheckedEdit>(result);
    EXPECT_EQ(checked.entry.message, "rollback to 1.1: slower again");
    EXPECT_EQ(checked.entry.changes,
              (std::vector<core::Change>{{"takeover.grace_period", "\"30s\""}}));
    EXPECT_THAT(checked.diff, HasSubstr("+ takeover.grace_period = \"30s\""));
    EXPECT_EQ(std::get<CheckedEdit>(check(rollback("1.2"))).entry.message, "rollback to 1.2");
}

TEST_F(EditorTest, RollbackToWhatIsOrNeverWasChangesNothing) {
    EXPECT_EQ(refused(rollback("1.3")).message, "nothing to change");
    for (const char* wrong : {"1.4", "2.1", "7", "one"}) {
        EXPECT_EQ(refused(rollback(wrong)).outcome, Outcome::invalid) << wrong;
    }
}

TEST_F(EditorTest, RollbackToWhatIsNoLongerValidIsRefused) {
    add({{"tunnel.main.plugin", "\"gone\""}});
    add({{"tunnel.main.plugin", std::nullopt}});
    const Reply reply = refused(rollback("1.4"));
    EXPECT_EQ(reply.outcome, Outcome::invalid);
    ASSERT_FALSE(reply.details.empty());
    EXPECT_THAT(reply.details.front(), HasSubstr("gone"));
}

TEST_F(EditorTest, EditForAnotherRevisionIsAConflictThatNamesTheCurrentOne) {
    Edit edit;
    edit.changes = {{"takeover.grace_period", "50s"}};
    edit.if_revision = "1.2";
    for (const bool dry : {false, true}) {
        edit.dry_run = dry;
        const Reply reply = refused(edit);
        EXPECT_EQ(reply.outcome, Outcome::refused);
        EXPECT_THAT(reply.message, HasSubstr("at revision 1.3, not 1.2"));
    }
    edit.changes = {{"takeover.grace_period", "40s"}};  // What it is already.
    EXPECT_EQ(refused(edit).outcome, Outcome::refused);
    edit.if_revision = "1.3";
    EXPECT_EQ(refused(edit).message, "nothing to change");
    edit.if_revision = "3";
    EXPECT_EQ(refused(edit).outcome, Outcome::invalid);
}

/// Sections of every kind; edits that are judged by a part of it meet all of its rules.
class EditorOfManySectionsTest : public EditorTest {
protected:
    EditorOfManySectionsTest() {
        for (const std::string n : {"a", "b"}) {
            const std::string channel = "tunnel." + n + ".channel.db.";
            add({{"tunnel." + n + ".plugin", "\"gateway\""},
                 {"tunnel." + n + ".options.address", "\"cloud.example:7443\""},
                 {"tunnel." + n + ".mapping.crm.virtual", "\"crm.cloud:80\""},
                 {"tunnel." + n + ".mapping.crm.internal", "\"127.0.0.1:8000\""},
                 {"tunnel." + n + ".mapping.erp.virtual", "\"erp.cloud:80\""},
                 {"tunnel." + n + ".mapping.erp.internal", "\"127.0.0.1:8001\""},
                 {channel + "listen", n == "a" ? "\"127.0.0.1:5432\"" : "\"127.0.0.1:5433\""},
                 {channel + "target", "\"db.cloud:5432\""},
                 {"probe." + n + ".plugin", "\"tcp\""},
                 {"probe." + n + ".every", "\"2s\""},
                 {"probe." + n + ".options.address", "\"127.0.0.1:8000\""}});
        }
    }
    /// The problems of the whole document after the changes; none: it is valid.
    std::vector<std::string> whole(const Edit& edit) {
        core::Document document = log.document();
        for (const auto& change : edit.changes) {
            const auto made = change.literal
                                  ? config::set_changes(document, change.key, *change.literal)
                                  : config::unset_changes(document, change.key);
            if (!made.ok()) return {made.error().message};
            core::apply(document, *made);
        }
        return config::read_shared(document, catalog).problems.lines();
    }
};

TEST_F(EditorOfManySectionsTest, AnEditIsJudgedAsTheWholeDocumentWouldBe) {
    ASSERT_THAT(config::read_shared(log.document(), catalog).problems.lines(), IsEmpty());
    const std::vector<std::vector<core::Change>> edits = {
        {{"probe.a.every", "\"3s\""}},
        {{"probe.a.every", "\"0s\""}},
        {{"probe.a.evry", "\"3s\""}},
        {{" probe . \"a\" . every", "\"4s\""}, {"takeover.grace_period", "\"9s\""}},
        {{"probe.a.options.address", std::nullopt}},
        {{"probe.a.every.more", "1"}},
        {{"probe.a.options", "1"}},
        {{"probe.a", std::nullopt}},
        {{"probe.c.every", "\"3s\""}},
        {{"probe.c", "{plugin = \"tcp\", options = {address = \"127.0.0.1:1\"}}"}},
        {{"probe", std::nullopt}},
        {{"probe", "1"}},
        {{"prob.a.every", "\"3s\""}},
        {{"tunnel.a.mapping.crm.virtual", "\"erp.cloud:80\""}},
        {{"tunnel.a.mapping.crm.virtual", "\"erp.cloud:81\""}},
        {{"tunnel.a.mapping.crm.active", "false"}},
        {{"tunnel.a.mapping.crm.active", "1"}},
        {{"tunnel.a.mapping.crm.actve", "false"}},
        {{"tunnel.a.mapping.crm.probes", "[\"a\"]"}},
        {{"tunnel.a.mapping.crm.probes", "[\"c\"]"}},
        {{"tunnel.a.mapping.crm.internal", std::nullopt}},
        {{"tunnel.a.mapping.crm.protocol", "\"http\""}},
        {{"tunnel.a.mapping.crm.resource.r.path", "\"/\""}},
        {{"tunnel.a.mapping.crm.resource.r.path", "\"a\""}},
        {{"tunnel.a.mapping.new.internal", "\"127.0.0.1:1\""}},
        {{"tunnel.c.mapping.crm.active", "false"}},
        {{"tunnel.a.mapping.crm.active", "false"}, {"tunnel.b.plugin", "\"gone\""}},
        {{"tunnel.a.mapping.crm.active", "false"}, {"takeover.register", "\"c\""}},
        {{"tunnel.a.mapping.erp.active", "false"}, {"takeover.register", "\"a\""}},
        {{"tunnel.a.channel.db.listen", "\"127.0.0.1:5433\""}},
        {{"tunnel.b.channel.db.listen", "\"127.0.0.1:5432\""}, {"tunnel.a", std::nullopt}},
        {{"tunnel.b.plugin", "\"gone\""}},
        {{"takeover.acknowledge", "\"none\""}},
        {{"takeover.grace_period", "\"31s\""}, {"probe.b.every", "\"never\""}},
        {{"a..b", "1"}},
    };
    std::size_t accepted = 0;
    for (const auto& changes : edits) {
        Edit edit;
        edit.changes = changes;
        const auto expected = whole(edit);
        const auto result = check(edit);
        accepted += std::holds_alternative<CheckedEdit>(result);
        if (const auto* reply = std::get_if<Reply>(&result)) {
            const auto lines =
                reply->details.empty() ? std::vector{reply->message} : reply->details;
            EXPECT_EQ(lines, expected) << changes.front().key;
        } else {
            EXPECT_THAT(expected, IsEmpty()) << changes.front().key;
        }
    }
    EXPECT_EQ(accepted, 10u);
}

TEST_F(EditorOfManySectionsTest, OneProbeTooManyIsSeenThoughOnlyItIsEdited) {
    std::vector<core::Change> many;
    for (std::size_t i = 2; i < config::probes_max; ++i) {
        const std::string probe = "probe.p" + std::to_string(i);
        many.push_back({probe + ".plugin", "\"tcp\""});
        many.push_back({probe + ".options.address", "\"127.0.0.1:8000\""});
    }
    add(many);
    ASSERT_THAT(config::read_shared(log.document(), catalog).problems.lines(), IsEmpty());
    Edit edit;
    edit.changes = {{"probe.more", "{plugin = \"tcp\", options = {address = \"127.0.0.1:1\"}}"}};
    EXPECT_THAT(refused(edit).details, testing::ElementsAre(HasSubstr("at most")));
}

TEST_F(EditorOfManySectionsTest, WhatIsTooLargeForOneEditIsRefusedWithTheWayRound) {
    const std::string long_name = std::string(60, 'h') + '.' + std::string(60, 'h') + '.';
    const auto mappings = [&](int first, bool there) {
        std::vector<core::Change> changes;
        for (int i = first; i < first + 1000; ++i) {
            const std::string mapping = "tunnel.a.mapping.m" + std::to_string(i) + ".";
            const std::string host = "\"" + long_name + long_name + "m" + std::to_string(i);
            for (const std::string key : {"virtual", "internal"}) {
                changes.push_back(
                    {mapping + key, there ? std::optional{host + ":80\""} : std::nullopt});
            }
        }
        return changes;
    };
    for (const bool there : {true, false}) {
        add(mappings(0, there));
        add(mappings(1000, there));
    }
    // The sections are revision 1.4 and 1.5; 1.6 and 1.7 added mappings.
    EXPECT_EQ(refused(rollback("1.7")).message,
              "this edit is larger than 786432 bytes; roll back to a revision between first, which "
              "changes less");
    EXPECT_TRUE(std::holds_alternative<CheckedEdit>(check(rollback("1.6"))));
    Edit edit;
    edit.changes = mappings(0, true);
    const auto more = mappings(1000, true);
    edit.changes.insert(edit.changes.end(), more.begin(), more.end());
    EXPECT_EQ(refused(edit).message,
              "this edit is larger than 786432 bytes; split it into several");
}

TEST_F(EditorTest, OperationIdIsBounded) {
    Edit edit;
    edit.changes = {{"takeover.grace_period", "50s"}};
    edit.op_id = std::string(128, 'x');
    auto result = check(edit);
    ASSERT_TRUE(std::holds_alternative<CheckedEdit>(result));
    EXPECT_EQ(std::get<CheckedEdit>(result).entry.op_id, edit.op_id);
    edit.op_id += 'x';
    EXPECT_THAT(refused(edit).message, HasSubstr("at most 128 bytes"));
    for (const std::string bad : {"one\ntwo", "one\ttwo", "\x7f"}) {
        edit.op_id = bad;
        EXPECT_EQ(refused(edit).outcome, Outcome::invalid);
    }
}

TEST_F(EditorTest, DiffOfAnyTwoRevisions) {
    const auto [reply, compared] = diff(log, "1.1", "1.2");
    EXPECT_EQ(reply.outcome, Outcome::done);
    EXPECT_EQ(reply.text,
              "- takeover.grace_period = \"30s\"\n+ takeover.grace_period = \"40s\"\n"
              "+ takeover.on_tunnel_loss = \"5s\"\n");
    ASSERT_EQ(compared.keys.size(), 2u);
    EXPECT_EQ(compared.keys[0].from, "\"30s\"");
    EXPECT_EQ(compared.keys[0].to, "\"40s\"");
    EXPECT_EQ(compared.keys[1].from, std::nullopt);
    const auto backwards = diff(log, "1.2", "1.1").second;
    EXPECT_EQ(backwards.keys.at(1).to, std::nullopt);
}

TEST_F(EditorTest, DiffWithoutRevisionsIsWhatTheLastEditChanged) {
    const auto last = diff(log, "", "").second;
    EXPECT_EQ(last.from, "1.2");
    EXPECT_EQ(last.to, "1.3");
    ASSERT_EQ(last.keys.size(), 1u);
    EXPECT_EQ(last.keys[0].key, "takeover.on_tunnel_loss");
    EXPECT_EQ(last.keys[0].to, std::nullopt);
    EXPECT_EQ(diff(log, "1.1", "").second.to, "1.3");
    EXPECT_THAT(diff(log, "1.1", "").second.keys, testing::SizeIs(1));
    EXPECT_EQ(diff(log, "2.1", "").first.outcome, Outcome::invalid);
    const core::Log empty{&simulation::quick_hash};
    EXPECT_THAT(diff(empty, "", "").second.keys, IsEmpty());
}

TEST_F(EditorTest, AKeyThatIsThereTwiceIsRefused) {
    Edit edit;
    edit.changes = {{"takeover.grace_period", "50s"}, {"takeover . \"grace_period\"", "60s"}};
    EXPECT_EQ(refused(edit).outcome, Outcome::invalid);
    EXPECT_EQ(refused(edit).message,
              "takeover.grace_period is there twice in one edit; name it once");
}

TEST_F(EditorTest, AFileThatSetsNothingIsNoOrderToRemoveEverything) {
    Edit edit;
    edit.document_name = "stdin";
    for (const char* text : {"", "# generated\n", "[takeover]\n"}) {
        edit.document = text;
        EXPECT_EQ(refused(edit).outcome, Outcome::invalid) << text;
        EXPECT_THAT(refused(edit).message, HasSubstr("stdin sets no key")) << text;
    }
    log = core::Log{&simulation::quick_hash};
    EXPECT_EQ(refused(edit).message, "nothing to change");
}

TEST_F(EditorTest, WhatIsCompactedIsNotKeptAndTheAnswerSaysWhatIs) {
    log.compact(2);
    const std::string kept = "the revisions 1.2 to 1.3 are kept";
    EXPECT_EQ(refused(rollback("1.1")).message, "revision 1.1 is not kept any more; " + kept);
    EXPECT_EQ(refused(rollback("1.1")).outcome, Outcome::invalid);
    EXPECT_EQ(refused(rollback("1.9")).message, "there is no revision 1.9 in the history; " + kept);
    EXPECT_EQ(show(log, "", "1.1").message, "revision 1.1 is not kept any more; " + kept);
    EXPECT_EQ(diff(log, "1.1", "1.3").first.message, "revision 1.1 is not kept any more; " + kept);
    EXPECT_EQ(diff(log, "", "1.2").first.message,
              "what revision 1.2 changed is not kept any more; " + kept);
    EXPECT_EQ(diff(log, "1.2", "1.3").first.outcome, Outcome::done) << "the oldest that is kept";
    EXPECT_TRUE(std::holds_alternative<CheckedEdit>(check(rollback("1.2"))));
}

TEST_F(EditorTest, TheHistorySaysWhereItBegins) {
    EXPECT_EQ(history_note(log, history(log, 10).size()), "");
    log.compact(2);
    EXPECT_EQ(history_note(log, history(log, 10).size()),
              "what came before is not kept any more; the revisions 1.2 to 1.3 are kept");
    add({{"takeover.grace_period", "\"50s\""}});
    EXPECT_EQ(history_note(log, history(log, 1).size()), "1 older edit is kept; --max shows more");
}

}  // namespace
}  // namespace umbra::instance
