// The real program against a real API over a real socket; only the instance behind it is made up.

#include "integration/cli/program.hpp"
#include "unit/admin/fake_control.hpp"
#include "unit/base/temp_directory.hpp"
#include <umbra/admin/api.hpp>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

#include <fstream>

namespace umbra {
namespace {

using instance::Outcome;
using test::Program;
using test::Ran;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ClientCommandsTest : public ::testing::Test {
protected:
    ClientCommandsTest() {
        control.now = test::example_status();
        control.document = {{"takeover.grace_period", "\"30s\""},
                            {"tunnel.main.options.links", "2"},
                            {"tunnel.main.plugin", "\"gateway\""}};
        control.next.message = "done so";
        auto started = admin::serve(control, address);
        EXPECT_TRUE(started) << started.error().message;
        server.emplace(std::move(started).value());
    }

    Ran umbra(std::vector<std::string> arguments, const std::string& input = {}) {
        control.settle();
        auto ran = Program{UMBRA_PROGRAM, std::move(arguments), {"UMBRA_ADMIN=" + address}, input}
                       .finish();
        control.settle();
        return ran;
    }
    /// Runs it, expects success and one JSON document on stdout.
    boost::json::value json(std::vector<std::string> arguments) {
        const Ran ran = umbra(std::move(arguments));
        EXPECT_EQ(ran.status, 0) << ran.err;
        boost::system::error_code code;
        auto value = boost::json::parse(ran.out, code);
        EXPECT_FALSE(code) << ran.out;
        return value;
    }
    std::filesystem::path write(const std::string& name, const std::string& text) {
        std::ofstream{dir / name} << text;
        return dir / name;
    }

    test::TempDirectory dir;
    std::string address = "unix:" + (dir / "admin.sock").string();
    test::FakeControl control;
    std::optional<base::HttpServer> server;
};

TEST_F(ClientCommandsTest, StatusIsReadableAndComplete) {
    const Ran ran = umbra({"status"});
    EXPECT_EQ(ran.status, 0);
    EXPECT_THAT(ran.err, IsEmpty());
    for (const char* expected :
         {"alpha  master, active\n", "revision  3.41\n", "epoch     3\n",
          "balanced: check 100ms, connect 500ms, request 500ms, takeover 1500ms",
          "PEER  STATE  REVISION  SYNC     LAST SEEN  RTT     VERSION\n",
          "beta  ready  3.41      in sync  12 ms ago  180 us  0.1.0\n",
          "TUNNEL  PLUGIN   STATE   EPOCH  FENCES  LINKS  STREAMS\n",
          "main    gateway  active  3      yes     2      0\n",
          "crm-backend  tcp     healthy  90 us\n",
          "push-failed  error     2026-01-01T00:00:00Z  no answer from beta\n",
          "last change of role: 2026-01-01T00:00:00Z master of epoch 3: the master was killed\n"}) {
        EXPECT_THAT(ran.out, HasSubstr(expected));
    }
}

TEST_F(ClientCommandsTest, StatusTellsWhatIsNotThere) {
    control.now = {};
    control.now.instance = "alpha";
    control.now.role = "shadow";
    control.now.state = "initial";
    control.now.paused = true;
    const Ran ran = umbra({"status"});
    EXPECT_EQ(ran.status, 0);
    for (const char* expected : {"shadow, initial, automatic takeovers paused\n", "(none)", "never",
                                 "no tunnels\n", "no alerts\n"}) {
        EXPECT_THAT(ran.out, HasSubstr(expected));
    }
}

TEST_F(ClientCommandsTest, NamesOfOthersDoNotDriveTheTerminal) {
    control.now.peer.instance = "be\x1b[2Jta";
    control.now.tunnels[0].detail = "line\nforged";
    const Ran ran = umbra({"status"});
    EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
    EXPECT_THAT(ran.out, HasSubstr("line?forged"));
}

TEST_F(ClientCommandsTest, StatusAsJsonHasTheFieldsOfTheContract) {
    const auto status = json({"status", "--json"});
    EXPECT_EQ(status.at("role").as_string(), "master");
    EXPECT_EQ(status.at("peer").at("last_seen_ms"), 12);
    EXPECT_EQ(status.at("tunnels").at(0).at("fences"), true);
}

TEST_F(ClientCommandsTest, WatchShowsEveryChangeUntilItsReaderGoes) {
    Program program{UMBRA_PROGRAM, {"status", "--watch", "--json", "--admin", address}};
    ASSERT_TRUE(program.wait_for("\"active\""));
    program.forget();
    server->stop();
    auto again = admin::serve(control, address);
    ASSERT_TRUE(again);
    ASSERT_TRUE(program.wait_for("\"active\"")) << "an instance that was away is shown again";
}

TEST_F(ClientCommandsTest, AlertsAreListedOrThereAreNone) {
    EXPECT_THAT(umbra({"alerts"}).out, HasSubstr("no answer from beta"));
    EXPECT_EQ(json({"alerts", "--json"}).at("alerts").at(0).at("id").as_string(), "push-failed");
    control.now.alerts.clear();
    EXPECT_EQ(umbra({"alerts"}).out, "no alerts\n");
}

TEST_F(ClientCommandsTest, EveryOperationReachesTheInstance) {
    const std::vector<std::vector<std::string>> commands = {
        {"switch"},
        {"switch", "--force"},
        {"pause"},
        {"pause", "--for", "2h"},
        {"resume"},
        {"reload"},
        {"peer", "enable"},
        {"peer", "disable"},
        {"peer", "connect"},
        {"peer", "disconnect"},
        {"peer", "reset"},
        {"peer", "check"},
        {"peer", "invite"},
        {"peer", "join", "abc"},
        {"tunnel", "enrol", "main", "xyz"},
    };
    for (const auto& command : commands) {
        const Ran ran = umbra(command);
        EXPECT_EQ(ran.status, 0) << command[0] << ran.err;
        EXPECT_EQ(ran.out, "done so\n");
        EXPECT_THAT(ran.err, IsEmpty());
    }
    EXPECT_THAT(control.calls,
                ElementsAre("switch", "switch force", "pause", "pause 7200000000000", "resume",
                            "reload", "enable", "disable", "connect", "disconnect", "reset",
                            "check", "invite", "join abc", "enrol main xyz"));
    EXPECT_EQ(json({"switch", "--json"}).at("message").as_string(), "done so");
}

TEST_F(ClientCommandsTest, ReloadListsItsChangesAndAMistakeIsWrongUsage) {
    control.next = {Outcome::done, "1 change applied", {"applied: log.level: 1 -> 2"}, "", ""};
    EXPECT_EQ(umbra({"reload"}).out, "1 change applied\n  applied: log.level: 1 -> 2\n");
    control.reload_plan.restart = {{"storage.plugin", "\"file\"", "\"etcd\"", "why"}};
    EXPECT_EQ(json({"reload", "--json"}).at("restart").at(0).at("key"), "storage.plugin");
    control.next = {Outcome::invalid, "u.toml has 1 mistake", {"u.toml:1:1: error: x"}, "", ""};
    const Ran refused = umbra({"reload"});
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.out, IsEmpty());
    EXPECT_EQ(refused.err, "umbra: u.toml has 1 mistake\n  u.toml:1:1: error: x\n");
}

TEST_F(ClientCommandsTest, InvitationIsAloneOnStdoutAndTakenFromStdin) {
    control.next.text = "umbra-secret-1";
    control.next.message = "valid for 15 minutes";
    const Ran ran = umbra({"peer", "invite"});
    EXPECT_EQ(ran.out, "umbra-secret-1\n");
    EXPECT_EQ(ran.err, "valid for 15 minutes\n");
    EXPECT_EQ(umbra({"peer", "join", "-"}, ran.out).status, 0);
    EXPECT_EQ(umbra({"tunnel", "enrol", "main", "-"}, ran.out).status, 0);
    EXPECT_THAT(control.calls,
                ElementsAre("invite", "join umbra-secret-1", "enrol main umbra-secret-1"));
}

TEST_F(ClientCommandsTest, FailureIsOneAndInvalidIsTwoAndRefusedIsFour) {
    const std::pair<Outcome, int> outcomes[] = {
        {Outcome::failed, 1}, {Outcome::invalid, 2}, {Outcome::refused, 4}};
    for (const auto& [outcome, status] : outcomes) {
        control.next = {outcome, "this is a shadow", {"edit on the master, beta"}, "", ""};
        for (const auto& command : std::vector<std::vector<std::string>>{
                 {"switch"}, {"config", "set", "a=1"}, {"config", "history"}}) {
            const Ran ran = umbra(command);
            EXPECT_EQ(ran.status, status) << command[0];
            EXPECT_EQ(ran.err, "umbra: this is a shadow\n  edit on the master, beta\n");
            EXPECT_THAT(ran.out, IsEmpty());
        }
    }
}

TEST_F(ClientCommandsTest, ProvisionalIsAStatusOfItsOwn) {
    control.next = {Outcome::provisional, "durable on this instance only", {}, "", "3.42"};
    const Ran ran = umbra({"config", "set", "a=1"});
    EXPECT_EQ(ran.status, 5);
    EXPECT_EQ(ran.err, "umbra: warning: durable on this instance only (revision 3.42)\n");
}

TEST_F(ClientCommandsTest, AnEditTellsItsRevisionWhateverElseThereIsToSay) {
    control.next = {Outcome::done, "", {}, "", "3.42"};
    EXPECT_EQ(umbra({"config", "set", "a=1"}).out, "revision 3.42\n");
    control.next.message = "the shadow is away";
    EXPECT_EQ(umbra({"config", "set", "a=1"}).out, "the shadow is away (revision 3.42)\n");
    control.next.message = "merged as revision 3.42";
    EXPECT_EQ(umbra({"config", "set", "a=1"}).out, "merged as revision 3.42\n");
}

TEST_F(ClientCommandsTest, WhatIsNotUtf8IsNamedAndNotSent) {
    const std::string bad = "caf\xe9";
    for (const auto& [arguments, told] :
         std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"config", "set", "a=" + bad}, "a is not valid UTF-8: byte 0xe9 after \"caf\""},
             {{"config", "set", bad + "=1"}, "a key is not valid UTF-8: byte 0xe9 after \"caf\""},
             {{"config", "unset", bad}, "a key is not valid UTF-8"},
             {{"config", "set", "a=1", "-m", bad}, "--message is not valid UTF-8"},
             {{"config", "rollback", "1.1", "--author", bad}, "--author is not valid UTF-8"},
             {{"config", "apply", "-", "--op-id", bad}, "--op-id is not valid UTF-8"}}) {
        const Ran ran = umbra(arguments);
        EXPECT_EQ(ran.status, 2);
        EXPECT_THAT(ran.err, StartsWith("umbra: " + told));
    }
    const auto file = write("latin.toml", "a = 1\nb = \"" + bad + "\"\n").string();
    EXPECT_THAT(umbra({"config", "apply", file}).err,
                HasSubstr(file + ":2:9: error: invalid UTF-8"));
    EXPECT_THAT(umbra({"config", "apply", "-"}, "a = '" + bad + "'").err, HasSubstr("stdin:1:9"));
    EXPECT_THAT(control.edits, IsEmpty());
}

TEST_F(ClientCommandsTest, StdinThatIsTooLongIsRefusedAtTheLimit) {
    const std::string head = "a = 1\n#";
    // JSON needs two bytes for each of these.
    const std::string most = head + std::string((std::size_t{4} << 20) - head.size(), '"');
    EXPECT_EQ(umbra({"config", "apply", "-"}, most).status, 0);
    ASSERT_EQ(control.edits.size(), 1u);
    EXPECT_EQ(control.edits[0].document, most);
    const Ran ran = umbra({"config", "apply", "-"}, most + "x");
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, HasSubstr("stdin:1:1: error: the text is larger than 4194304 bytes"));
    EXPECT_EQ(control.edits.size(), 1u);
}

TEST_F(ClientCommandsTest, UnreachableInstanceIsThree) {
    server->stop();
    for (const auto& command : std::vector<std::vector<std::string>>{
             {"status"}, {"status", "--json"}, {"switch"}, {"config", "get", "a"}}) {
        const Ran ran = umbra(command);
        EXPECT_EQ(ran.status, 3);
        EXPECT_THAT(ran.err, StartsWith("umbra: nothing answers at " + address));
        EXPECT_THAT(ran.out, IsEmpty());
    }
}

TEST_F(ClientCommandsTest, ServerThatIsNotUmbraIsAFailure) {
    server->stop();
    auto other = base::HttpServer::start(
        {.address = address}, [](const base::HttpRequest&, const base::Responder& answer) {
            answer({200, "<html>", "text/html"});
        });
    ASSERT_TRUE(other);
    const Ran ran = umbra({"status"});
    EXPECT_EQ(ran.status, 1);
    EXPECT_THAT(ran.err, HasSubstr("is not an Umbra instance"));
}

TEST_F(ClientCommandsTest, AdminOptionIsStrongerThanTheEnvironment) {
    const Ran ran = umbra({"status", "--admin", "unix:/nonexistent/x.sock"});
    EXPECT_EQ(ran.status, 3);
    EXPECT_THAT(ran.err, HasSubstr("/nonexistent/x.sock"));
    EXPECT_EQ(umbra({"status", "--admin", "https://127.0.0.1:7400"}).status, 2);
    EXPECT_EQ(umbra({"status", "--admin", "nonsense"}).status, 2);
}

TEST_F(ClientCommandsTest, ConfigIsShownAsTomlAndAsJson) {
    EXPECT_THAT(umbra({"config", "show"}).out, HasSubstr("grace_period = \"30s\""));
    EXPECT_EQ(json({"config", "show", "--json"}).at("tunnel").at("main").at("options").at("links"),
              2);
    const Ran part = umbra({"config", "show", "tunnel.main"});
    EXPECT_THAT(part.out, HasSubstr("plugin = \"gateway\""));
    EXPECT_THAT(part.out, Not(HasSubstr("grace_period")));
    EXPECT_EQ(umbra({"config", "show", "--revision", "3.40", "--toml"}).status, 0);
    EXPECT_EQ(control.calls.back(), "show [] [3.40]");
    const Ran missing = umbra({"config", "show", "nothing"});
    EXPECT_EQ(missing.status, 1);
    EXPECT_THAT(missing.err, StartsWith("umbra: there is no key nothing"));
}

TEST_F(ClientCommandsTest, GetPrintsOneValueForScripts) {
    EXPECT_EQ(umbra({"config", "get", "takeover.grace_period"}).out, "30s\n");
    EXPECT_EQ(umbra({"config", "get", "tunnel.main.options.links"}).out, "2\n");
    EXPECT_EQ(json({"config", "get", "takeover.grace_period", "--json"}).at("value").as_string(),
              "30s");
    EXPECT_EQ(umbra({"config", "get", "nothing"}).status, 1);
    EXPECT_THAT(umbra({"config", "get", "tunnel.main"}).err, HasSubstr("is a table"));
    EXPECT_EQ(umbra({"config", "get", "not..a key"}).status, 2);
}

TEST_F(ClientCommandsTest, SetSendsSeveralPairsAsOneEdit) {
    const Ran ran =
        umbra({"config", "set", "a.text=hello", "a.number=7", "a.quoted=\"7\"", "a.list=[1, 2]",
               "a.equals=x=y", "-m", "why", "--author", "ann", "--if-revision", "3.41"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.out, "done so\n");
    ASSERT_EQ(control.edits.size(), 1u);
    const instance::Edit& edit = control.edits[0];
    EXPECT_EQ(edit.changes.size(), 5u);
    EXPECT_EQ(edit.message, "why");
    EXPECT_EQ(edit.author, "ann");
    EXPECT_EQ(edit.if_revision, "3.41");
    EXPECT_EQ(control.document.at("a.text"), "\"hello\"");
    EXPECT_EQ(control.document.at("a.number"), "7");
    EXPECT_EQ(control.document.at("a.quoted"), "\"7\"");
    EXPECT_EQ(control.document.at("a.list"), "[1, 2]");
    EXPECT_EQ(control.document.at("a.equals"), "\"x=y\"");
}

TEST_F(ClientCommandsTest, SetWithOneBadPairChangesNothing) {
    const core::Document before = control.document;
    const Ran ran = umbra({"config", "set", "good=1", "tunnel=5"});
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, StartsWith("umbra: "));
    EXPECT_THAT(ran.err, HasSubstr("tunnel"));
    EXPECT_EQ(umbra({"config", "set", "good=1", "bad"}).status, 2);
    EXPECT_EQ(control.document, before);
    EXPECT_THAT(umbra({"config", "set", "novalue"}).err, HasSubstr("\"novalue\" is not KEY=VALUE"));
    EXPECT_EQ(umbra({"config", "set", "=1"}).status, 2);
    EXPECT_EQ(umbra({"config", "set", ""}).status, 2);
}

TEST_F(ClientCommandsTest, EditShowsItsDiffAndTellsItsRevision) {
    control.next = {Outcome::done, "", {}, "+ a = 1\n", "3.42"};
    const Ran ran = umbra({"config", "set", "a=1"});
    EXPECT_EQ(ran.out, "+ a = 1\n");
    EXPECT_EQ(ran.err, "revision 3.42\n");
}

TEST_F(ClientCommandsTest, UnsetRemovesValuesAndTables) {
    EXPECT_EQ(umbra({"config", "unset", "tunnel.main", "takeover.grace_period"}).status, 0);
    EXPECT_THAT(control.document, IsEmpty());
    EXPECT_EQ(control.edits.size(), 1u);
    EXPECT_EQ(umbra({"config", "unset", "tunnel.main"}).status, 2);
}

TEST_F(ClientCommandsTest, ApplySendsAFileOrStdinAndShowsTheDiff) {
    control.next.text = "+ a = 1\n";
    const auto file = write("site.toml", "a = 1\n");
    const Ran ran = umbra({"config", "apply", file.string(), "--dry-run"});
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.out, "+ a = 1\n");
    EXPECT_EQ(umbra({"config", "apply", "-"}, "b = 2\n").status, 0);
    ASSERT_EQ(control.edits.size(), 2u);
    EXPECT_EQ(control.edits[0].document, "a = 1\n");
    EXPECT_EQ(control.edits[0].document_name, file.string());
    EXPECT_TRUE(control.edits[0].dry_run);
    EXPECT_EQ(control.edits[1].document, "b = 2\n");
    EXPECT_FALSE(control.edits[1].dry_run);
    const Ran missing = umbra({"config", "apply", (dir / "none.toml").string()});
    EXPECT_EQ(missing.status, 2);
    EXPECT_THAT(missing.err, HasSubstr("none.toml"));
}

TEST_F(ClientCommandsTest, DiffOfRevisionsIsAskedOfTheInstance) {
    control.compared = {"3.40", "3.41", {{"a", std::nullopt, "1"}}};
    EXPECT_EQ(umbra({"config", "diff"}).out, "+ a = 1\n");
    EXPECT_EQ(umbra({"config", "diff", "3.40"}).status, 0);
    EXPECT_EQ(json({"config", "diff", "3.40", "3.41", "--json"}).at("changes").at(0).at("to"), "1");
    EXPECT_THAT(control.calls, ElementsAre("diff [] []", "diff [3.40] []", "diff [3.40] [3.41]"));
    EXPECT_EQ(umbra({"config", "diff", "1.1", "1.2", "1.3"}).status, 2);
}

TEST_F(ClientCommandsTest, DiffOfAFileIsWhatApplyingItWouldChange) {
    const auto file = write("site.toml", "[takeover]\ngrace_period = \"45s\"\n").string();
    const std::string removed =
        "- tunnel.main.options.links = 2\n- tunnel.main.plugin = \"gateway\"\n";
    EXPECT_EQ(umbra({"config", "diff", file}).out,
              "- takeover.grace_period = \"30s\"\n+ takeover.grace_period = \"45s\"\n" + removed);
    const auto other = json({"config", "diff", "--json", file, "3.41"});
    EXPECT_EQ(other.at("from").as_string(), file);
    EXPECT_EQ(other.at("changes").at(0).at("from").as_string(), "\"45s\"");
    EXPECT_EQ(other.at("changes").at(1).at("from"), nullptr);
    EXPECT_EQ(umbra({"config", "diff", write("bad.toml", "a = \n").string()}).status, 2);
    EXPECT_EQ(umbra({"config", "diff", (dir / "none").string(), "3.41"}).status, 2);
    EXPECT_EQ(
        umbra({"config", "diff", "341"}).err,
        "umbra: 341 is neither a revision, which looks like 3.41, nor a file that is there\n");
}

TEST_F(ClientCommandsTest, RollbackAndOperationIdReachTheInstance) {
    control.next = {Outcome::done, "", {}, "+ a = 1\n", "3.42"};
    const Ran ran = umbra({"config", "rollback", "3.40", "-m", "why", "--if-revision", "3.41",
                           "--op-id", "op-1", "--dry-run"});
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.out, "+ a = 1\n");
    EXPECT_EQ(umbra({"config", "set", "a=1", "--op-id", "op-2"}).status, 0);
    ASSERT_EQ(control.edits.size(), 2u);
    EXPECT_EQ(control.edits[0].rollback_to, "3.40");
    EXPECT_EQ(control.edits[0].message, "why");
    EXPECT_EQ(control.edits[0].if_revision, "3.41");
    EXPECT_EQ(control.edits[0].op_id, "op-1");
    EXPECT_TRUE(control.edits[0].dry_run);
    EXPECT_EQ(control.edits[1].op_id, "op-2");
    EXPECT_EQ(umbra({"config", "rollback"}).status, 2);
}

TEST_F(ClientCommandsTest, DivergencesAreListedAndShown) {
    EXPECT_EQ(umbra({"config", "divergence", "list"}).out,
              "no divergent edits are kept here; each instance keeps its own\n");
    control.diverged = {test::example_divergence()};
    EXPECT_THAT(umbra({"config", "divergence", "list"}).out,
                HasSubstr("1.4-0123abcd  conflicts  2026-01-01T00:00:00Z  1      2     1"));
    const Ran shown = umbra({"config", "divergence", "show", "1.4-0123abcd"});
    EXPECT_EQ(shown.status, 0) << shown.err;
    for (const char* line :
         {"1 edit after revision 1.3 by ann, merged as revision 2.6",
          "KEY  BASE    MASTER  SAVED  OUTCOME\n", "a    (none)  (none)  1      merged\n",
          "b    0       3       2      conflict\n", "umbra config divergence merge 1.4-0123abcd"}) {
        EXPECT_THAT(shown.out, HasSubstr(line));
    }
    EXPECT_EQ(json({"config", "divergence", "list", "--json"}).at("divergences").as_array().size(),
              1u);
    EXPECT_EQ(json({"config", "divergence", "show", "--json"}).at("id").as_string(),
              "1.4-0123abcd");
}

TEST_F(ClientCommandsTest, DivergenceWithoutAnIdIsTheOnlyOpenOne) {
    EXPECT_THAT(umbra({"config", "divergence", "merge"}).err, HasSubstr("nothing is open"));
    auto other = test::example_divergence();
    other.id = "1.2-00000000";
    other.state = "merged";
    control.diverged = {other, test::example_divergence()};
    EXPECT_EQ(umbra({"config", "divergence", "merge", "--author", "ann"}).status, 0);
    EXPECT_EQ(control.calls.back(), "merge 1.4-0123abcd by ann");
    EXPECT_EQ(umbra({"config", "divergence", "drop", "x-1", "--author", "ann"}).status, 0);
    EXPECT_EQ(control.calls.back(), "drop x-1 by ann");
    control.diverged[0].state = "saved";
    const Ran several = umbra({"config", "divergence", "drop"});
    EXPECT_EQ(several.status, 2);
    EXPECT_THAT(several.err, HasSubstr("1.2-00000000"));
    EXPECT_THAT(umbra({"config", "divergence", "show", "none"}).err, HasSubstr("none"));
}

TEST_F(ClientCommandsTest, HistoryIsATable) {
    control.entries = {{"3.42", "2026-01-01T00:00:00Z", "ann", "why", {{"a", "1"}, {"b", "2"}}}};
    EXPECT_THAT(umbra({"config", "history"}).out,
                HasSubstr("3.42      2026-01-01T00:00:00Z  ann     2        why\n"));
    EXPECT_EQ(json({"config", "history", "--max", "5", "--json"}).at("history").as_array().size(),
              1u);
    EXPECT_EQ(control.calls.back(), "history 5");
    EXPECT_EQ(umbra({"config", "history", "--max", "0"}).status, 2);
}

}  // namespace
}  // namespace umbra
