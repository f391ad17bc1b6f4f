// The API over a real Unix socket, against a fake instance.

#include "unit/admin/fake_control.hpp"
#include "unit/base/temp_directory.hpp"
#include <umbra/admin/api.hpp>
#include <umbra/base/http_client.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>

#include <pwd.h>
#include <unistd.h>

namespace umbra::admin {
namespace {

using namespace std::chrono_literals;
using boost::json::object;
using instance::Outcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ApiTest : public ::testing::Test {
protected:
    ApiTest() {
        control.now = test::example_status();
        auto started = serve(control, address);
        EXPECT_TRUE(started) << started.error().message;
        server.emplace(std::move(started).value());
    }

    base::HttpResponse send(const std::string& method, const std::string& target,
                            const std::string& body = "") {
        auto response = base::http_request(address, {method, target, body}, 10s);
        if (!response) {
            ADD_FAILURE() << response.error().message;
            return {0};
        }
        return std::move(response).value();
    }
    base::HttpResponse get(const std::string& target) { return send("GET", target); }
    base::HttpResponse post(const std::string& target, const std::string& body = "") {
        return send("POST", target, body);
    }
    static object json(const base::HttpResponse& response) {
        boost::system::error_code code;
        auto value = boost::json::parse(response.body, code);
        EXPECT_FALSE(code) << response.body;
        return value.is_object() ? value.get_object() : object{};
    }
    /// Every error has exactly this shape. @return The sentence and the details, a line each.
    static std::string error(const base::HttpResponse& response, unsigned status) {
        EXPECT_EQ(response.status, status) << response.body;
        const object body = json(response);
        EXPECT_EQ(body.size(), 2u) << response.body;
        if (!body.contains("error") || !body.contains("details")) return {};
        std::string text{body.at("error").as_string()};
        for (const auto& line : body.at("details").as_array()) {
            text += "\n" + std::string{line.as_string()};
        }
        return text;
    }

    test::TempDirectory dir;
    std::string address = "unix:" + (dir / "admin.sock").string();
    test::FakeControl control;
    std::optional<base::HttpServer> server;
};

TEST_F(ApiTest, StatusHasTheFieldsThatScriptsRelyOn) {
    const auto response = get("/v1/status");
    EXPECT_EQ(response.status, 200u);
    object status = json(response);
    // contract.md, to the letter; further fields may be there.
    const object contract = boost::json::parse(R"({
        "instance": "alpha", "version": "0.1.0", "role": "master", "state": "active", "epoch": 3,
        "revision": "3.41", "paused": false, "uptime_s": 12.5,
        "peer": {"instance": "beta", "state": "ready", "revision": "3.41", "in_sync": true,
                 "last_seen_ms": 12, "rtt_us": 180},
        "tunnels": [{"name": "main", "plugin": "gateway", "state": "active", "epoch": 3,
                     "fences": true, "links": 2, "streams": 0, "detail": ""}],
        "probes": [{"name": "crm-backend", "healthy": true, "latency_us": 90, "detail": ""}],
        "alerts": [{"id": "push-failed", "severity": "error", "since": "2026-01-01T00:00:00Z",
                    "text": "no answer from beta"}]})")
                                .as_object();
    const auto expect_contained = [](const auto& self, const boost::json::value& expected,
                                     const boost::json::value& actual) -> void {
        if (expected.is_object() && actual.is_object()) {
            for (const auto& field : expected.get_object()) {
                ASSERT_TRUE(actual.get_object().contains(field.key())) << field.key();
                self(self, field.value(), actual.get_object().at(field.key()));
            }
        } else if (expected.is_array() && actual.is_array()) {
            ASSERT_EQ(expected.get_array().size(), actual.get_array().size());
            for (std::size_t i = 0; i < expected.get_array().size(); ++i) {
                self(self, expected.get_array()[i], actual.get_array()[i]);
            }
        } else {
            EXPECT_EQ(expected, actual);
        }
    };
    expect_contained(expect_contained, contract, status);
    EXPECT_EQ(status.at("timers").at("takeover_delay").as_string(), "1500ms");
    EXPECT_EQ(status.at("profile").as_string(), "balanced");
    EXPECT_EQ(status.at("peer").at("plugins").as_array().size(), 1u);
    EXPECT_THAT(std::string(status.at("last_change").as_string()), HasSubstr("epoch 3"));
    EXPECT_EQ(status.at("tunnels").as_array()[0].at("denied"), 0);
}

TEST_F(ApiTest, WhatIsNotKnownOfThePeerIsNull) {
    control.now.peer = {};
    const object status = json(get("/v1/status"));
    EXPECT_TRUE(status.at("peer").at("last_seen_ms").is_null());
    EXPECT_TRUE(status.at("peer").at("rtt_us").is_null());
}

TEST_F(ApiTest, StatusAnswersWhileTheInstanceIsStuck) {
    control.mute = true;
    std::thread stuck{[this] { (void)base::http_request(address, {"POST", "/v1/switch"}, 200ms); }};
    EXPECT_EQ(get("/v1/status").status, 200u);
    stuck.join();
}

TEST_F(ApiTest, AlertsAreListed) {
    const object body = json(get("/v1/alerts"));
    ASSERT_EQ(body.at("alerts").as_array().size(), 1u);
    EXPECT_EQ(body.at("alerts").as_array()[0].at("id").as_string(), "push-failed");
}

TEST_F(ApiTest, HealthAndReadinessFollowTheState) {
    EXPECT_EQ(get("/healthz").status, 200u);
    EXPECT_EQ(get("/readyz").status, 200u);
    control.now.role = "shadow";
    control.now.state = "ready";
    EXPECT_EQ(get("/readyz").status, 200u);
    for (const char* state : {"initial", "disconnected", "initsync", "lost", "taking-over",
                              "fenced", "starting", "draining"}) {
        control.now.state = state;
        EXPECT_THAT(error(get("/readyz"), 503), HasSubstr(state));
        EXPECT_EQ(get("/healthz").status, 200u);
    }
}

TEST_F(ApiTest, EveryOperationReachesTheInstanceOnce) {
    control.next.message = "as you wish";
    const std::pair<const char*, const char*> requests[] = {
        {"/v1/switch", ""},
        {"/v1/switch", R"({"force": true})"},
        {"/v1/pause", ""},
        {"/v1/pause", R"({"for": "2h"})"},
        {"/v1/resume", "{}"},
        {"/v1/peer/enable", ""},
        {"/v1/peer/disable", ""},
        {"/v1/peer/connect", ""},
        {"/v1/peer/disconnect", ""},
        {"/v1/peer/reset", ""},
        {"/v1/peer/check", ""},
        {"/v1/peer/invite", ""},
        {"/v1/peer/join", R"({"invitation": "abc"})"},
        {"/v1/tunnel/enrol", R"({"tunnel": "main", "invitation": "xyz"})"},
        {"/v1/tunnel/key/rotate", R"({"tunnel": "main"})"},
    };
    for (const auto& [target, body] : requests) {
        const auto response = post(target, body);
        EXPECT_EQ(response.status, 200u) << target << response.body;
        EXPECT_EQ(json(response).at("message").as_string(), "as you wish");
    }
    EXPECT_THAT(control.calls,
                ElementsAre("switch", "switch force", "pause", "pause 7200000000000", "resume",
                            "enable", "disable", "connect", "disconnect", "reset", "check",
                            "invite", "join abc", "enrol main xyz", "rotate key main"));
}

TEST_F(ApiTest, OutcomesBecomeHttpStatuses) {
    control.next = {Outcome::provisional, "on one instance only", {"d"}, "text", "3.42"};
    const auto provisional = post("/v1/resume");
    EXPECT_EQ(provisional.status, 202u);
    EXPECT_EQ(provisional.body,
              R"({"outcome":"provisional","message":"on one instance only","details":["d"],)"
              R"("text":"text","revision":"3.42"})");
    control.next = {Outcome::failed, "disk full", {"a", "b"}, "", ""};
    EXPECT_EQ(error(post("/v1/resume"), 500), "disk full\na\nb");
    control.next.outcome = Outcome::invalid;
    EXPECT_EQ(error(post("/v1/resume"), 400), "disk full\na\nb");
    control.next.outcome = Outcome::refused;
    EXPECT_EQ(error(post("/v1/resume"), 409), "disk full\na\nb");
    EXPECT_EQ(error(get("/v1/config/history"), 409), "disk full\na\nb");
}

TEST_F(ApiTest, ConfigIsShownWhole) {
    control.document = {{"takeover.grace_period", "\"30s\""},
                        {"tunnel.main.plugin", "\"gateway\""}};
    const object all = json(get("/v1/config"));
    EXPECT_THAT(std::string{all.at("text").as_string()}, HasSubstr("[tunnel.main]"));
    EXPECT_EQ(all.at("revision").as_string(), "1.1");
    (void)get("/v1/config?key=tunnel.%22my%20one%22&revision=3.41");
    EXPECT_THAT(control.calls, ElementsAre("show [] []", R"(show [tunnel."my one"] [3.41])"));
}

TEST_F(ApiTest, EditCarriesEverythingThatTheUserStated) {
    control.document = {{"c", "1"}};
    const auto response = post("/v1/config/edit", R"({"author": "ann", "message": "why",
        "op_id": "op-1", "if_revision": "3.41", "dry_run": true,
        "changes": [{"key": "a.b", "value": "\"x\""}, {"key": "c", "value": null}]})");
    EXPECT_EQ(response.status, 200u) << response.body;
    ASSERT_EQ(control.edits.size(), 1u);
    const instance::Edit& edit = control.edits[0];
    EXPECT_EQ(edit.author, "ann");
    EXPECT_EQ(edit.message, "why");
    EXPECT_EQ(edit.op_id, "op-1");
    EXPECT_EQ(edit.if_revision, "3.41");
    EXPECT_TRUE(edit.dry_run);
    EXPECT_FALSE(edit.document);
    EXPECT_THAT(edit.changes,
                ElementsAre(core::Change{"a.b", "\"x\""}, core::Change{"c", std::nullopt}));
}

TEST_F(ApiTest, EditWithoutAnAuthorIsByTheUserAtTheSocket) {
    (void)post("/v1/config/edit", R"({"changes": []})");
    ASSERT_EQ(control.edits.size(), 1u);
    const passwd* const me = ::getpwuid(::geteuid());
    EXPECT_EQ(control.edits[0].author,
              me != nullptr ? me->pw_name : "uid " + std::to_string(::geteuid()));
}

TEST_F(ApiTest, ApplyCarriesTheDocument) {
    const auto response =
        post("/v1/config/apply", R"({"toml": "a = 1\n", "name": "site.toml", "dry_run": true})");
    EXPECT_EQ(response.status, 200u) << response.body;
    ASSERT_EQ(control.edits.size(), 1u);
    EXPECT_EQ(control.edits[0].document, "a = 1\n");
    EXPECT_EQ(control.edits[0].document_name, "site.toml");
    EXPECT_TRUE(control.edits[0].dry_run);
}

TEST_F(ApiTest, RollbackIsAnEditWithARevision) {
    const auto response =
        post("/v1/config/rollback", R"({"revision": "3.40", "message": "why", "op_id": "op-2"})");
    EXPECT_EQ(response.status, 200u) << response.body;
    ASSERT_EQ(control.edits.size(), 1u);
    EXPECT_EQ(control.edits[0].rollback_to, "3.40");
    EXPECT_EQ(control.edits[0].message, "why");
    EXPECT_EQ(control.edits[0].op_id, "op-2");
    EXPECT_THAT(error(post("/v1/config/rollback", "{}"), 400), HasSubstr("\"revision\""));
}

TEST_F(ApiTest, ReloadSaysWhatChangedAndWhatWaits) {
    control.reload_plan = {{{"log.level", "\"info\"", "\"debug\"", ""}},
                           {{"peer.permitted", std::nullopt, "\"beta\"", "fixed at the start"}},
                           {}};
    control.next = {Outcome::done, "1 change applied", {"applied: log.level"}, "", ""};
    EXPECT_EQ(post("/v1/reload", "").body,
              R"({"outcome":"done","message":"1 change applied","details":["applied: log.level"],)"
              R"("text":"","revision":"","live":[{"key":"log.level","from":"\"info\"",)"
              R"("to":"\"debug\"","reason":""}],"restart":[{"key":"peer.permitted","from":null,)"
              R"("to":"\"beta\"","reason":"fixed at the start"}],"ignored":[]})");
    control.next = {Outcome::invalid, "u.toml has 2 mistakes", {"one", "two"}, "", ""};
    EXPECT_EQ(error(post("/v1/reload", ""), 400), "u.toml has 2 mistakes\none\ntwo");
    EXPECT_EQ(post("/v1/reload", R"({"file": "/etc/passwd"})").status, 400u);
    EXPECT_THAT(control.calls, ElementsAre("reload", "reload"));
}

TEST_F(ApiTest, DiffHasBothSidesOfEveryKey) {
    control.compared = {"3.40", "3.41", {{"a", std::nullopt, "1"}, {"b", "2", std::nullopt}}};
    EXPECT_EQ(get("/v1/config/diff?from=3.40&to=3.41").body,
              R"({"from":"3.40","to":"3.41","changes":[{"key":"a","from":null,"to":"1"},)"
              R"({"key":"b","from":"2","to":null}],"text":"+ a = 1\n"})");
    EXPECT_EQ(get("/v1/config/diff").status, 200u);
    EXPECT_THAT(control.calls, ElementsAre("diff [3.40] [3.41]", "diff [] []"));
    control.next = {Outcome::invalid, "no such revision", {}, "", ""};
    EXPECT_EQ(error(get("/v1/config/diff?from=9.9"), 400), "no such revision");
}

TEST_F(ApiTest, DivergencesAreThreeWayTables) {
    control.diverged = {test::example_divergence()};
    const auto list = json(get("/v1/config/divergence")).at("divergences");
    const object one = list.at(0).as_object();
    EXPECT_EQ(one.at("id").as_string(), "1.4-0123abcd");
    EXPECT_EQ(one.at("state").as_string(), "conflicts");
    EXPECT_EQ(one.at("conflicts"), 1);
    EXPECT_EQ(one.at("edits").at(0).at("changes").at(1).at("value").as_string(), "2");
    EXPECT_EQ(boost::json::serialize(one.at("keys")),
              R"([{"key":"a","base":null,"master":null,"saved":"1","outcome":"merged"},)"
              R"({"key":"b","base":"0","master":"3","saved":"2","outcome":"conflict"}])");
    EXPECT_EQ(json(get("/v1/config/divergence?id=other")).at("divergences").as_array().size(), 0u);
}

TEST_F(ApiTest, DivergencesAreMergedAndDroppedByName) {
    EXPECT_EQ(post("/v1/config/divergence/merge", R"({"id": "1.4-ab", "author": "ann"})").status,
              200u);
    EXPECT_EQ(post("/v1/config/divergence/drop", R"({"id": "1.4-ab", "author": "bob"})").status,
              200u);
    EXPECT_THAT(control.calls, ElementsAre("merge 1.4-ab by ann", "drop 1.4-ab by bob"));
    EXPECT_THAT(error(post("/v1/config/divergence/drop", "{}"), 400), HasSubstr("\"id\""));
    control.next = {Outcome::refused, "dropped already", {}, "", ""};
    EXPECT_EQ(error(post("/v1/config/divergence/merge", R"({"id": "1.4-ab"})"), 409),
              "dropped already");
}

TEST_F(ApiTest, HistoryIsBoundedByTheRequest) {
    control.entries = {
        {"3.42", "2026-01-01T00:00:00Z", "ann", "why", {{"a", "1"}, {"b", std::nullopt}}}};
    const auto response = get("/v1/config/history");
    EXPECT_EQ(response.body,
              R"({"history":[{"revision":"3.42","time":"2026-01-01T00:00:00Z","author":"ann",)"
              R"("message":"why","changes":[{"key":"a","value":"1"},{"key":"b","value":null}]}]})");
    EXPECT_EQ(get("/v1/config/history?max=1").status, 200u);
    EXPECT_EQ(get("/v1/config/history?max=10000").status, 200u);
    for (const char* bad : {"0", "10001", "-1", "many", "1x", "99999999999999999999"}) {
        EXPECT_THAT(error(get(std::string{"/v1/config/history?max="} + bad), 400),
                    HasSubstr("from 1 to 10000"));
    }
    EXPECT_THAT(control.calls, ElementsAre("history 50", "history 1", "history 10000"));
}

TEST_F(ApiTest, UnknownPathIs404AndWrongMethodIs405) {
    EXPECT_THAT(error(get("/v1/nothing"), 404), HasSubstr("/v1/nothing"));
    EXPECT_EQ(get("/").status, 404u);
    EXPECT_EQ(get("/v1/status/").status, 404u);
    EXPECT_THAT(error(get("/v1/switch"), 405), HasSubstr("use POST"));
    EXPECT_THAT(error(post("/v1/status"), 405), HasSubstr("use GET"));
    EXPECT_EQ(send("DELETE", "/v1/config").status, 405u);
    EXPECT_THAT(control.calls, IsEmpty());
}

TEST_F(ApiTest, BrokenJsonIsRefusedWithItsPlace) {
    EXPECT_THAT(error(post("/v1/switch", "{\"force\": tru }"), 400), HasSubstr("line 1, column 1"));
    EXPECT_THAT(error(post("/v1/switch", "{\n  \"force\": true,\n}"), 400), HasSubstr("line 3"));
    EXPECT_THAT(error(post("/v1/switch", "{} {}"), 400), HasSubstr("not valid JSON"));
    EXPECT_THAT(error(post("/v1/switch", "{\"force\": true"), 400), HasSubstr("not valid JSON"));
    EXPECT_THAT(error(post("/v1/switch", "[true]"), 400), HasSubstr("must be a JSON object"));
    EXPECT_THAT(error(post("/v1/switch", std::string(1000, '[')), 400), HasSubstr("not valid"));
    EXPECT_THAT(control.calls, IsEmpty());
}

TEST_F(ApiTest, UnknownAndDuplicateFieldsAreRefused) {
    EXPECT_THAT(error(post("/v1/switch", R"({"forec": true})"), 400),
                HasSubstr("\"forec\" is not known here; known are \"force\""));
    EXPECT_THAT(error(post("/v1/resume", R"({"force": true})"), 400), HasSubstr("no field is"));
    EXPECT_THAT(error(post("/v1/switch", R"({"force": true, "force": false})"), 400),
                HasSubstr("\"force\" is given twice"));
    EXPECT_THAT(
        error(post("/v1/config/edit", R"({"changes": [{"key": "a", "value": "1", "value": "2"}]})"),
              400),
        HasSubstr("\"value\" is given twice"));
    EXPECT_EQ(post("/v1/config/edit", R"({"changes": [{"key": "a", "value": "1"},
                                                      {"key": "b", "value": "1"}]})")
                  .status,
              200u)
        << "the same field in two objects is fine";
    EXPECT_THAT(control.calls, ElementsAre("edit"));
}

TEST_F(ApiTest, AllMistakesOfARequestAreToldAtOnce) {
    const std::string text =
        error(post("/v1/config/edit", R"({"author": 1, "surprise": 2, "dry_run": "yes",
             "changes": [7, {"key": 1, "value": "1"}, {"key": "a"}, {"value": "1", "x": 0}]})"),
              400);
    for (const char* expected :
         {"\"author\" must be a string", "\"surprise\" is not known here",
          "\"dry_run\" must be true or false", "\"changes[0]\" must be an object",
          "\"changes[1].key\" must be a string", "\"changes[2].value\" is missing",
          "\"changes[3].key\" is missing", "\"changes[3].x\" is not known here"}) {
        EXPECT_THAT(text, HasSubstr(expected));
    }
    EXPECT_THAT(control.calls, IsEmpty());
}

TEST_F(ApiTest, MissingFieldsAreNamed) {
    EXPECT_THAT(error(post("/v1/peer/join"), 400), HasSubstr("\"invitation\" is missing"));
    EXPECT_THAT(error(post("/v1/config/apply"), 400), HasSubstr("\"toml\" is missing"));
    EXPECT_THAT(error(post("/v1/config/edit"), 400), HasSubstr("\"changes\" is missing"));
    EXPECT_THAT(error(post("/v1/tunnel/enrol", R"({"tunnel": null})"), 400),
                HasSubstr("\"tunnel\" is missing"));
    EXPECT_THAT(error(post("/v1/tunnel/key/rotate"), 400), HasSubstr("\"tunnel\" is missing"));
    EXPECT_THAT(control.calls, IsEmpty());
}

TEST_F(ApiTest, ATunnelCheckSaysWhatFailed) {
    control.checks = {{"main", "mapping", "crm", "a:1", "ok", 1500, ""},
                      {"main", "channel", "db", "b:2", "skipped", 0, "not active"}};
    auto answer = json(post("/v1/tunnel/check"));
    EXPECT_TRUE(answer.at("ok").as_bool()) << "what is skipped did not fail";
    EXPECT_EQ(answer.at("checks").as_array().size(), 2u);
    control.checks[1].outcome = "failed";
    answer = json(post("/v1/tunnel/check", R"({"tunnel": "main"})"));
    EXPECT_FALSE(answer.at("ok").as_bool());
    const auto& first = answer.at("checks").as_array().at(0);
    EXPECT_EQ(first.at("name").as_string(), "crm");
    EXPECT_EQ(first.at("latency_us").to_number<double>(), 1500);
    EXPECT_THAT(control.calls, ElementsAre("check tunnel []", "check tunnel [main]"));
}

TEST_F(ApiTest, PauseNeedsAUsableDuration) {
    for (const char* bad : {"0s", "-1s", "two hours", "", "2"}) {
        EXPECT_THAT(error(post("/v1/pause", std::string{R"({"for": ")"} + bad + "\"}"), 400),
                    HasSubstr("\"for\""));
    }
    EXPECT_THAT(control.calls, IsEmpty());
}

TEST_F(ApiTest, QueryMistakesAreRefused) {
    EXPECT_THAT(error(get("/v1/config?kye=a"), 400), HasSubstr("\"kye\" is not known"));
    EXPECT_THAT(error(get("/v1/config?key=a&key=b"), 400), HasSubstr("given twice"));
    EXPECT_THAT(error(get("/v1/config?key=%zz"), 400), HasSubstr("%-escape"));
    EXPECT_THAT(error(get("/v1/config?key=%4"), 400), HasSubstr("%-escape"));
    EXPECT_THAT(error(post("/v1/switch?force=true"), 400), HasSubstr("\"force\" is not known"));
    EXPECT_THAT(control.calls, IsEmpty());
    EXPECT_EQ(get("/v1/config?key=%41").status, 200u);
    EXPECT_THAT(control.calls, ElementsAre("show [A] []"));
}

TEST_F(ApiTest, TooManyChangesAreRefused) {
    const auto edit = [](int count) {
        std::string list;
        for (int i = 0; i < count; ++i) {
            list += std::string{i > 0 ? "," : ""} + R"({"key":"k","value":"1"})";
        }
        return R"({"changes":[)" + list + "]}";
    };
    EXPECT_EQ(post("/v1/config/edit", edit(10000)).status, 200u);
    EXPECT_THAT(error(post("/v1/config/edit", edit(10001)), 400), HasSubstr("at most 10000"));
    EXPECT_EQ(control.edits.size(), 1u);
}

TEST_F(ApiTest, AnswersThatComeAfterTheServerIsGoneReachNobody) {
    control.mute = true;
    (void)base::http_request(address, {"POST", "/v1/resume"}, 20ms);
    server->stop();
    control.mute = false;
}

}  // namespace
}  // namespace umbra::admin
