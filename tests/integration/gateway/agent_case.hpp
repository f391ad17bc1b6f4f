#pragma once

#include "integration/gateway/agent_fixture.hpp"

#include <gtest/gtest.h>

namespace umbra::gateway::testing {

/// The provider as the host sees it, against the other end of real links.
class AgentTest : public ::testing::Test {
protected:
    AgentTest() {
        for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
            ::unsetenv(name);
        options.address = played.address();
        options.links = 2;
        options.connect_timeout = 2s;
        options.reconnect_max = 200ms;
        options.pin = played.pin();
        spec.node = "alpha";
        spec.incarnation = "i1";
        spec.mappings = {mapping("crm", "crm.cloud", 80)};
    }
    ~AgentTest() override { stop_tunnel(); }

    /// Runs the loop, so a test with sockets of its own on it calls this while it still has them.
    void stop_tunnel() {
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
        // A link that has not said hello takes no streams yet.
        ASSERT_TRUE(until([&] {
            return state() == TunnelState::standby && played.up() == 2 &&
                   played.got<msg::Hello>().size() >= 2;
        }));
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
    std::vector<std::unique_ptr<User>> users;  ///< Of service channels; kept like the clients.
    AgentOptions options;
    TunnelSpec spec;
    std::vector<TunnelEvent> events;
    std::unique_ptr<Op<TunnelEvent>> asked;
    std::unique_ptr<GatewayTunnel> tunnel;
};

}  // namespace umbra::gateway::testing
