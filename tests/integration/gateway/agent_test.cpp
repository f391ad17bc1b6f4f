// The provider as the host sees it, against the other end of real links.

#include "integration/gateway/agent_fixture.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sys/stat.h>
#include <thread>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

class AgentTest : public ::testing::Test {
protected:
    AgentTest() {
        options.address = played.address();
        options.links = 2;
        options.connect_timeout = 2s;
        options.reconnect_max = 200ms;
        options.pin = played.pin();
        spec.node = "alpha";
        spec.incarnation = "i1";
        spec.mappings = {mapping("crm", "crm.cloud", 80)};
    }
    ~AgentTest() override {
        host.thaw();
        if (!tunnel) return;
        Op<Done> stopped;
        tunnel->stop(stopped.reply());
        EXPECT_TRUE(until([&] { return stopped.done(); }));
        tunnel.reset();
        if (asked) {
            EXPECT_EQ(asked->code, UMBRA_CLOSED);
        }
    }

    umbra::Mapping mapping(std::string name, std::string host_name, std::uint16_t port) {
        return {.name = std::move(name),
                .virtual_host = std::move(host_name),
                .virtual_port = port,
                .virtual_port_last = port,
                .internal_host = "127.0.0.1",
                .internal_port = backend.port(),
                .protocol = "tcp",
                .active = true};
    }
    /// Runs the far end until `condition` holds; fetches the provider's events meanwhile.
    bool until(const std::function<bool()>& condition) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        for (;;) {
            fetch_events();
            if (condition()) return true;
            if (std::chrono::steady_clock::now() > deadline) return false;
            if (io.poll() == 0) std::this_thread::sleep_for(100us);
            io.restart();
        }
    }
    void fetch_events() {
        if (asked && asked->done()) {
            if (!asked->ok()) return;
            events.push_back(asked->value);
            asked.reset();
        }
        if (!asked && tunnel) {
            asked = std::make_unique<Op<TunnelEvent>>();
            tunnel->next_event(asked->reply());
        }
    }
    [[nodiscard]] std::optional<TunnelEvent> last(TunnelEvent::Type type) const {
        for (auto at = events.rbegin(); at != events.rend(); ++at)
            if (at->type == type) return *at;
        return std::nullopt;
    }
    [[nodiscard]] std::optional<TunnelState> state() const {
        const auto event = last(TunnelEvent::Type::state);
        return event ? std::optional(event->state) : std::nullopt;
    }
    void open() {
        tunnel = std::make_unique<GatewayTunnel>(host.context(), options);
        Op<Done> opened;
        tunnel->open(spec, opened.reply());
        ASSERT_TRUE(until([&] { return opened.done(); }));
        ASSERT_TRUE(opened.ok()) << opened.message;
    }
    void open_to_standby() {
        open();
        ASSERT_TRUE(until([&] { return state() == TunnelState::standby && played.up() == 2; }));
    }
    void open_to_active() {
        open_to_standby();
        Op<ClaimResult> claimed;
        tunnel->claim(1, umbra::ClaimReason::first, claimed.reply());
        ASSERT_TRUE(until([&] { return claimed.done(); }));
        ASSERT_TRUE(claimed.ok() && claimed.value.granted) << claimed.message;
        Op<Done> activated;
        tunnel->activate(1, activated.reply());
        ASSERT_TRUE(until([&] { return activated.done(); }));
        ASSERT_TRUE(activated.ok()) << activated.message;
        ASSERT_TRUE(until([&] { return state() == TunnelState::active; }));
    }

    struct Client {
        std::shared_ptr<Stream> stream;
        std::unique_ptr<User> user;
        std::optional<OpenStatus> status;
        std::optional<StreamEnd> end;
    };
    /// The fixture keeps it: its sockets may still have news after the test's body.
    Client* client(const std::string& virtual_host = "crm.cloud", std::uint16_t port = 80,
                   std::uint64_t epoch = 1) {
        Client* c = clients.emplace_back(std::make_unique<Client>()).get();
        auto opened = played.any()->open({epoch, virtual_host, port, "203.0.113.9:40000"});
        EXPECT_TRUE(opened.ok());
        c->stream = *opened;
        c->stream->listen({.on_status = [c](const OpenStatus& s) { c->status = s; },
                           .on_closed = [c](StreamEnd e, const std::string&) { c->end = e; }});
        auto [inner, outer] = connected_pair(io, io);
        c->user = std::make_unique<User>(std::move(outer));
        c->stream->attach(std::move(inner));
        c->user->read_on();
        return c;
    }
    bool echoes(Client& c, const std::string& text) {
        const std::size_t before = c.user->in.size();
        c.user->write(text);
        return until([&] { return c.user->in.size() >= before + text.size(); }) &&
               c.user->in.substr(before) == text;
    }
    bool answered(Client& c) {
        return until([&] { return c.status.has_value(); });
    }

    asio::io_context io;
    TempDir state_dir;
    TestHost host{state_dir.path().string()};
    PlayedGateway played{io};
    EchoBackend backend{io};
    std::vector<std::unique_ptr<Client>> clients;
    AgentOptions options;
    TunnelSpec spec;
    std::vector<TunnelEvent> events;
    std::unique_ptr<Op<TunnelEvent>> asked;
    std::unique_ptr<GatewayTunnel> tunnel;
};

TEST_F(AgentTest, WithoutAPinItIsRefusedAndSaysWhatToDo) {
    options.pin.reset();
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    EXPECT_EQ(last(TunnelEvent::Type::state)->detail,
              "not enrolled with this gateway; run: umbra-gateway invite alpha there, then: umbra "
              "tunnel enrol main INVITATION here");
    EXPECT_TRUE(played.peers.empty()) << "it dialed a gateway that it could not have recognised";
}

TEST_F(AgentTest, AnInvitationEnrolsConnectsAndIsRemembered) {
    options.pin.reset();
    open();
    Invitation invitation;
    invitation.secret.fill(7);
    invitation.gateway_pin = *parse_pin(played.pin());
    played.invitation_secret = invitation.secret;
    Op<Done> enrolled;
    tunnel->enrol(to_text(invitation), enrolled.reply());
    ASSERT_TRUE(until([&] { return enrolled.done(); }));
    ASSERT_TRUE(enrolled.ok()) << enrolled.message;
    ASSERT_TRUE(until([&] { return state() == TunnelState::standby && played.up() == 2; }));
    EXPECT_EQ(played.got<msg::Enrol>().at(0).node, "alpha");
    for (const char* name : {"tls.key", "gateway.pin"}) {
        struct stat info {};
        ASSERT_EQ(::stat((state_dir.path() / name).c_str(), &info), 0) << name;
        EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
    }
    EXPECT_EQ(*load_pin(state_dir.path()), played.pin());
}

TEST_F(AgentTest, AWrongSecretIsDeniedAndNothingIsRemembered) {
    options.pin.reset();
    open();
    Invitation invitation;
    invitation.gateway_pin = *parse_pin(played.pin());
    played.invitation_secret.emplace().fill(1);
    Op<Done> enrolled;
    tunnel->enrol(to_text(invitation), enrolled.reply());
    ASSERT_TRUE(until([&] { return enrolled.done(); }));
    EXPECT_EQ(enrolled.code, UMBRA_DENIED);
    EXPECT_NE(enrolled.message.find("the proof does not fit"), std::string::npos);
    EXPECT_EQ(*load_pin(state_dir.path()), "");
}

TEST_F(AgentTest, AGatewayWithAnotherKeyIsRefused) {
    options.pin = "sha256:" + std::string(64, '0');
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    const std::string detail = last(TunnelEvent::Type::state)->detail;
    EXPECT_NE(detail.find(played.pin()), std::string::npos) << detail;
    EXPECT_NE(detail.find("attempt"), std::string::npos) << detail;
}

TEST_F(AgentTest, ARefusalByTheGatewayIsShown) {
    played.refusal = msg::Refused{RefusalCode::not_enrolled, "this key is not enrolled"};
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    EXPECT_NE(last(TunnelEvent::Type::state)->detail.find("this key is not enrolled"),
              std::string::npos);
}

TEST_F(AgentTest, IntroducesItselfOnEveryLink) {
    spec.epoch = 5;
    open_to_standby();
    const auto hellos = played.got<msg::Hello>();
    ASSERT_EQ(hellos.size(), 2u);
    for (const auto& hello : hellos) {
        EXPECT_EQ(hello.node, "alpha");
        EXPECT_EQ(hello.incarnation, "i1");
        EXPECT_EQ(hello.epoch_known, 5u);
        EXPECT_EQ(hello.links_total, 2);
        EXPECT_EQ(hello.boot, hellos[0].boot);
    }
    EXPECT_NE(hellos[0].link_index, hellos[1].link_index);
    const auto reg = last(TunnelEvent::Type::reg);
    ASSERT_TRUE(reg);
    EXPECT_TRUE(reg->reg.known);
    EXPECT_EQ(reg->reg.in_sync, (std::vector<umbra::Member>{{"alpha", "i1"}}));
}

TEST_F(AgentTest, ServesAMappingOnceItIsActive) {
    open_to_active();
    auto c = client();
    EXPECT_TRUE(echoes(*c, pattern(3u << 20, 1)));
    EXPECT_EQ(c->status->code, StatusCode::ok);
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 1; }));
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return c->end == StreamEnd::finished; }));
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 0; }));
}

TEST_F(AgentTest, ServesNothingBeforeItIsActiveAndNoOtherEpoch) {
    open_to_standby();
    auto early = client();
    ASSERT_TRUE(answered(*early));
    EXPECT_EQ(early->status->code, StatusCode::stale_epoch);
    Op<Done> activated;
    played.view.epoch = 2;
    tunnel->activate(2, activated.reply());
    ASSERT_TRUE(until([&] { return activated.done(); }));
    for (const std::uint64_t epoch : {1u, 3u}) {
        auto other = client("crm.cloud", 80, epoch);
        ASSERT_TRUE(answered(*other));
        EXPECT_EQ(other->status->code, StatusCode::stale_epoch) << epoch;
    }
    auto right = client("crm.cloud", 80, 2);
    EXPECT_TRUE(echoes(*right, "hello"));
    EXPECT_EQ(backend.accepted, 1u);
}

TEST_F(AgentTest, WhatIsNotListedIsDeniedAndCounted) {
    spec.mappings.push_back(mapping("off", "off.cloud", 80));
    spec.mappings.back().active = false;
    spec.mappings.push_back(mapping("web", "web.cloud", 80));
    spec.mappings.back().protocol = "http";
    open_to_active();
    for (const auto& [name, port] : std::vector<std::pair<std::string, std::uint16_t>>{
             {"no.cloud", 80}, {"crm.cloud", 81}, {"off.cloud", 80}}) {
        auto c = client(name, port);
        ASSERT_TRUE(answered(*c));
        EXPECT_EQ(c->status->code, StatusCode::denied) << name;
    }
    auto http = client("web.cloud");
    ASSERT_TRUE(answered(*http));
    EXPECT_EQ(http->status->code, StatusCode::refused);
    EXPECT_NE(http->status->text.find("http"), std::string::npos);
    ASSERT_TRUE(until([&] {
        std::uint64_t count = 0;
        for (const auto& event : events)
            if (event.type == TunnelEvent::Type::denied) count += event.count;
        return count == 3;
    }));
    EXPECT_NE(last(TunnelEvent::Type::denied)->detail.find("203.0.113.9"), std::string::npos);
    EXPECT_EQ(backend.accepted, 0u);
}

TEST_F(AgentTest, ABackendThatRefusesIsTold) {
    spec.mappings[0].internal_port = 1;
    open_to_active();
    auto c = client();
    ASSERT_TRUE(answered(*c));
    EXPECT_EQ(c->status->code, StatusCode::refused);
    EXPECT_NE(c->status->text.find("127.0.0.1:1: Connection refused"), std::string::npos)
        << c->status->text;
}

TEST_F(AgentTest, OtherMappingsApplyWithoutTouchingUnrelatedStreams) {
    spec.mappings.push_back(mapping("erp", "erp.cloud", 80));
    open_to_active();
    auto crm = client("crm.cloud");
    auto erp = client("erp.cloud");
    ASSERT_TRUE(echoes(*crm, "one") && echoes(*erp, "one"));
    spec.mappings[1].active = false;
    spec.mappings.push_back(mapping("new", "new.cloud", 80));
    Op<Done> configured;
    tunnel->configure(spec, configured.reply());
    ASSERT_TRUE(until([&] { return configured.done() && erp->end; }));
    EXPECT_EQ(*erp->end, StreamEnd::reset);
    EXPECT_TRUE(echoes(*crm, "two"));
    auto fresh = client("new.cloud");
    EXPECT_TRUE(echoes(*fresh, "three"));
}

TEST_F(AgentTest, AHigherEpochCutsItsStreamsAndIsReported) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    played.view.epoch = 2;
    played.view.holder = "beta";
    played.push(msg::Fenced{played.view, false});
    ASSERT_TRUE(until([&] { return c->end && last(TunnelEvent::Type::fenced); }));
    EXPECT_EQ(*c->end, StreamEnd::reset);
    EXPECT_EQ(last(TunnelEvent::Type::fenced)->reg.epoch, 2u);
    EXPECT_EQ(last(TunnelEvent::Type::fenced)->reg.holder, "beta");
    EXPECT_EQ(last(TunnelEvent::Type::fenced)->state, TunnelState::standby);
    auto late = client();
    ASSERT_TRUE(answered(*late));
    EXPECT_EQ(late->status->code, StatusCode::stale_epoch);
    const auto fences = std::count_if(events.begin(), events.end(), [](const TunnelEvent& e) {
        return e.type == TunnelEvent::Type::fenced;
    });
    EXPECT_EQ(fences, 1) << "told once for each link";
}

TEST_F(AgentTest, FencedAfterAnAgreedHandoverItsStreamsMayEnd) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    played.view.epoch = 2;
    played.view.holder = "beta";
    played.push(msg::Fenced{played.view, true});
    ASSERT_TRUE(until([&] { return state() == TunnelState::draining; }));
    EXPECT_TRUE(echoes(*c, "two"));
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return state() == TunnelState::standby; }));
}

TEST_F(AgentTest, ADrainTakesNoNewStreamsAndEndsWithTheLastOne) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    Op<Done> drained;
    tunnel->drain(30s, drained.reply());
    ASSERT_TRUE(until([&] { return played.got<msg::Drain>().size() == 1; }));
    auto late = client();
    ASSERT_TRUE(answered(*late));
    EXPECT_EQ(late->status->code, StatusCode::draining);
    EXPECT_TRUE(echoes(*c, "two"));
    EXPECT_FALSE(drained.done());
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return drained.done() && c->end && state() == TunnelState::standby; }));
    EXPECT_TRUE(drained.ok());
    EXPECT_EQ(*c->end, StreamEnd::finished);
}

TEST_F(AgentTest, TheGraceOfADrainEnds) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    Op<Done> drained;
    tunnel->drain(50ms, drained.reply());
    ASSERT_TRUE(until([&] { return drained.done() && c->end; }));
    EXPECT_TRUE(drained.ok());
    EXPECT_EQ(*c->end, StreamEnd::reset);
}

TEST_F(AgentTest, RegisterQuestionsAreAnswered) {
    open_to_active();
    Op<Done> first, older, consented;
    tunnel->set_in_sync(1, 5, {{"beta", "i2"}, {"alpha", "i1"}}, first.reply());
    tunnel->set_in_sync(1, 4, {{"alpha", "i1"}}, older.reply());
    tunnel->consent(1, "beta", consented.reply());
    Op<ClaimResult> claimed;
    tunnel->claim(9, umbra::ClaimReason::forced, claimed.reply());
    ASSERT_TRUE(
        until([&] { return first.done() && older.done() && consented.done() && claimed.done(); }));
    EXPECT_TRUE(first.ok());
    EXPECT_EQ(older.code, UMBRA_CONFLICT);
    EXPECT_EQ(older.message, "a newer set is known");
    EXPECT_TRUE(consented.ok());
    ASSERT_TRUE(claimed.ok()) << "a refusal is a result";
    EXPECT_FALSE(claimed.value.granted);
    EXPECT_EQ(claimed.value.detail, "too old");
    EXPECT_EQ(claimed.value.reg.epoch, 1u);
    EXPECT_EQ(played.got<msg::InSync>().at(0).members,
              (std::vector<Member>{{"alpha", "i1"}, {"beta", "i2"}}));
    EXPECT_EQ(played.got<msg::Claim>().at(1).reason, ClaimReason::forced);
}

TEST_F(AgentTest, ALostHolderIsReported) {
    open_to_standby();
    played.view.epoch = 4;
    played.view.holder = "beta";
    played.any()->send(msg::HolderLost{played.view});
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::holder_lost).has_value(); }));
    EXPECT_EQ(last(TunnelEvent::Type::holder_lost)->reg.holder, "beta");
}

TEST_F(AgentTest, RedialsAndServesOnWhenNothingWasGrantedMeanwhile) {
    open_to_active();
    played.go_away();
    ASSERT_TRUE(until([&] { return state() == TunnelState::connecting; }));
    Op<ClaimResult> claimed;
    tunnel->claim(2, umbra::ClaimReason::first, claimed.reply());
    ASSERT_TRUE(until([&] { return claimed.done(); }));
    EXPECT_EQ(claimed.code, UMBRA_UNAVAILABLE);
    ASSERT_TRUE(until([&] {
        const std::string detail = last(TunnelEvent::Type::state)->detail;
        return detail.find("Connection refused; attempt") != std::string::npos &&
               detail.find(" ms") != std::string::npos;
    })) << last(TunnelEvent::Type::state)->detail;
    played.peers.clear();
    played.come_back();
    ASSERT_TRUE(until([&] { return state() == TunnelState::active && played.up() == 2; }));
    auto c = client();
    EXPECT_TRUE(echoes(*c, "again"));
}

TEST_F(AgentTest, OneOfTwoLinksIsEnoughToServe) {
    open_to_active();
    played.peers[0]->link->close("cut");
    ASSERT_TRUE(until([&] { return played.peers.size() > 2 && played.up() == 2; }));
    EXPECT_TRUE(std::none_of(events.begin(), events.end(), [](const TunnelEvent& e) {
        return e.type == TunnelEvent::Type::state && e.state == TunnelState::connecting &&
               e.links == 0 && !e.detail.empty() && e.detail.find("closed by") != std::string::npos;
    }));
    auto c = client();
    EXPECT_TRUE(echoes(*c, "still"));
}

TEST_F(AgentTest, EveryLinkThatComesBackIsToldThatItIsActive) {
    // Behind a silent cut the other link looks whole while the gateway it leads to is gone; the one
    // that answers now is another process and routes to nobody before it is told.
    open_to_active();
    played.peers[0]->link->close("cut");
    const auto told = [](const ControlMessage& m) {
        return std::holds_alternative<msg::Activate>(m);
    };
    ASSERT_TRUE(until([&] {
        return played.peers.size() > 2 && std::ranges::any_of(played.peers[2]->control, told);
    }));
    EXPECT_EQ(state(), TunnelState::active);
}

TEST_F(AgentTest, AFrozenNodeServesNothingWhenItWakesAndReportsThatItIsFenced) {
    open_to_active();
    const std::size_t before = backend.accepted;
    host.freeze();
    (void)client("no.cloud");  // Denials are logged: there it stops.
    ASSERT_TRUE(until([&] { return host.is_standing(); }));
    auto late = client();
    late->user->write("order one more");
    const Instant since = boot_now();
    ASSERT_TRUE(until([&] { return boot_now() - since > 400ms; }));  // More than the lease.
    played.view.epoch = 2;
    played.view.holder = "beta";
    played.push(msg::Fenced{played.view, false});
    for (auto& peer : played.peers) peer->link->close("fenced");
    host.thaw();
    ASSERT_TRUE(
        until([&] { return last(TunnelEvent::Type::fenced) && state() == TunnelState::standby; }));
    EXPECT_EQ(last(TunnelEvent::Type::fenced)->reg.epoch, 2u);
    EXPECT_EQ(backend.accepted, before) << "a stream of the time before was served";
}

TEST_F(AgentTest, StopCompletesEverythingAndLeavesNoThread) {
    const auto threads = [] {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& task :
             std::filesystem::directory_iterator("/proc/self/task"))
            ++count;
        return count;
    };
    // The first thread that a process makes may bring another one of a sanitizer with it.
    std::thread([] {}).join();
    const std::size_t before = threads();
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    Op<Done> drained, stopped;
    tunnel->drain(1h, drained.reply());
    tunnel->stop(stopped.reply());
    ASSERT_TRUE(until([&] { return stopped.done() && c->end; }));
    EXPECT_TRUE(stopped.ok());
    EXPECT_EQ(drained.code, UMBRA_CLOSED);
    EXPECT_EQ(asked->code, UMBRA_CLOSED);
    Op<Done> late;
    tunnel->configure(spec, late.reply());
    EXPECT_EQ(late.code, UMBRA_CLOSED);
    tunnel.reset();
    EXPECT_EQ(threads(), before);
}

TEST_F(AgentTest, ADamagedPinFileIsNamed) {
    std::ofstream(state_dir.path() / "gateway.pin") << "sha256:12\n";
    options.pin.reset();
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    EXPECT_NE(last(TunnelEvent::Type::state)->detail.find("gateway.pin"), std::string::npos);
}

TEST_F(AgentTest, OptionsThatCanNotWorkAreRefusedAtOnce) {
    options.pin = "abc";
    EXPECT_THROW(GatewayTunnel(host.context(), options), Failure);
    options.pin.reset();
    options.address = "nowhere";
    EXPECT_THROW(GatewayTunnel(host.context(), options), Failure);
}

}  // namespace
}  // namespace umbra::gateway
