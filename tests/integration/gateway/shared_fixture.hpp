#pragma once

#include "integration/gateway/server_fixture.hpp"
#include "integration/storage_etcd/etcd_server.hpp"

#include <memory>
#include <string>

namespace umbra::gateway::testing {

/// One of several gateways that keep their register in one etcd.
class Gateway {
public:
    Gateway(std::string name, const std::string& etcd, const std::string& more)
        : name_(std::move(name)), admin_("unix:" + (dir_.path() / "admin.sock").string()) {
        std::ofstream(dir_.path() / "gateway.toml")
            << "[gateway]\nname = \"" << name_ << "\"\ndata_dir = \"data\"\n"
            << "listen = \"127.0.0.1:0\"\nlease = \"500ms\"\n"
            << "[gateway.register]\nstore = \"etcd\"\nendpoints = [\"" << etcd << "\"]\n"
            << "hold = \"" << hold.count() << "ms\"\n"
            << more << "\n[admin]\nlisten = \"" << admin_ << "\"\n"
            << "[listener.crm]\naddress = \"127.0.0.1:0\"\nvirtual = \"crm.cloud:8080\"\n";
    }
    void start() {
        program =
            Child({UMBRA_GATEWAY_PROGRAM, "run", (dir_.path() / "gateway.toml").string()}, log());
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!base::http_request(admin_, {"GET", "/v1/status", ""}, 1s)) {
            if (std::chrono::steady_clock::now() > deadline)
                throw std::runtime_error("the gateway does not start: " + text_of(log()));
            std::this_thread::sleep_for(5ms);
        }
        const auto now = status();
        agents_port = port_of(now.at("listen"));
        crm_port = port_of(now.at("listeners").at(0).at("address"));
    }
    [[nodiscard]] std::filesystem::path log() const { return dir_.path() / "log"; }
    [[nodiscard]] std::filesystem::path data() const { return dir_.path() / "data"; }
    [[nodiscard]] json::value ask(const std::string& method, const std::string& target,
                                  const std::string& body = {}) const {
        const auto answer = base::http_request(admin_, {method, target, body}, 10s);
        if (!answer) throw std::runtime_error(answer.error().message);
        return json::parse(answer.value().body);
    }
    [[nodiscard]] json::value status() const { return ask("GET", "/v1/status"); }
    [[nodiscard]] json::value pair() const { return status().at("pairs").at(0); }
    [[nodiscard]] json::value shared() const { return status().at("register"); }
    [[nodiscard]] std::int64_t epoch() const {
        return pair().at("epoch").to_number<std::int64_t>();
    }
    [[nodiscard]] bool reachable() const { return shared().at("reachable").as_bool(); }
    [[nodiscard]] bool routes() const { return pair().at("suspended").as_string().empty(); }
    [[nodiscard]] Invitation invite(const std::string& node) const {
        const auto answer = ask("POST", "/v1/invitations", "{\"node\":\"" + node + "\"}");
        return parse_invitation(json::value_to<std::string>(answer.at("invitation"))).value();
    }

    static constexpr std::chrono::milliseconds hold = 1500ms;
    Child program;
    std::uint16_t agents_port = 0, crm_port = 0;

private:
    static std::uint16_t port_of(const json::value& address) {
        const auto text = json::value_to<std::string>(address);
        return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
    }
    TempDir dir_;
    std::string name_;
    std::string admin_;
};

/// Two gateways on one etcd; alpha and beta have a link to each.
class SharedRegisterTest : public ::testing::Test {
protected:
    void start(const std::string& more = {}) {
        one = std::make_unique<Gateway>("cloud-1", etcd.url(), more);
        two = std::make_unique<Gateway>("cloud-2", etcd.url(), more);
        one->start();
        two->start();
        ASSERT_TRUE(until([&] { return one->reachable() && two->reachable(); }));
    }
    bool until(const std::function<bool()>& condition) {
        const auto deadline = std::chrono::steady_clock::now() + 30s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            if (io.poll() == 0) std::this_thread::sleep_for(500us);
            io.restart();
        }
        return true;
    }
    void join(Agent& agent, Gateway& gateway) {
        agent.enrol(gateway.agents_port, gateway.invite(agent.node));
        ASSERT_TRUE(until([&] { return agent.closed == 1; }));
        return_to(agent, gateway);
    }
    void return_to(Agent& agent, Gateway& gateway, std::uint64_t epoch_known = 0) {
        const auto before = agent.got<msg::Welcome>().size();
        agent.hello(gateway.agents_port, epoch_known);
        ASSERT_TRUE(until([&] { return agent.got<msg::Welcome>().size() > before; }));
    }
    void leave(Agent& agent) {
        const auto before = agent.closed;
        agent.drop();
        ASSERT_TRUE(until([&] { return agent.closed > before; }));
    }
    msg::ClaimAnswer claim(Agent& agent, std::uint64_t epoch, ClaimReason reason) {
        const auto before = agent.got<msg::ClaimAnswer>().size();
        agent.say(msg::Claim{++agent.asks, epoch, reason});
        EXPECT_TRUE(until([&] { return agent.got<msg::ClaimAnswer>().size() > before; }));
        const auto answers = agent.got<msg::ClaimAnswer>();
        return answers.empty() ? msg::ClaimAnswer{} : answers.back();
    }
    /// Claims again until it is granted. @return the last refusal.
    std::string claim_until_granted(Agent& agent, std::uint64_t epoch, ClaimReason reason) {
        std::string refusal;
        const bool granted = until([&] {
            const auto answer = claim(agent, epoch, reason);
            if (!answer.granted) refusal = answer.text;
            return answer.granted || answer.view.epoch >= epoch;
        });
        EXPECT_TRUE(granted) << refusal;
        return refusal;
    }
    /// Says it until the gateway agrees, as an instance does.
    void activate(Agent& agent, std::uint64_t epoch) {
        const bool active = until([&] {
            const auto answers = [&] {
                return agent.got<msg::Activated>().size() + agent.got<msg::RefusedEpoch>().size();
            };
            const auto before = answers();
            const auto yes = agent.got<msg::Activated>().size();
            agent.say(msg::Activate{++agent.asks, epoch});
            EXPECT_TRUE(until([&] { return answers() > before; }));
            return agent.got<msg::Activated>().size() > yes;
        });
        ASSERT_TRUE(active);
    }
    /// alpha serves both gateways under epoch 1; beta stands by at both, in sync.
    void pair_runs() {
        start();
        join(alpha_one, *one);
        join(alpha_two, *two);
        join(beta_one, *one);
        join(beta_two, *two);
        ASSERT_TRUE(claim(alpha_one, 1, ClaimReason::first).granted);
        alpha_one.say(
            msg::InSync{++alpha_one.asks, 1, 1, {{"alpha", "alpha-disk"}, {"beta", "beta-disk"}}});
        ASSERT_TRUE(until([&] { return alpha_one.got<msg::Answer>().size() == 1; }));
        ASSERT_TRUE(alpha_one.got<msg::Answer>().front().accepted);
        activate(alpha_one, 1);
        activate(alpha_two, 1);
        ASSERT_TRUE(until([&] { return two->pair().at("in_sync").as_array().size() == 2; }));
    }
    std::unique_ptr<User> client(const Gateway& gateway) {
        tcp::socket socket(io);
        socket.connect({asio::ip::address_v4::loopback(), gateway.crm_port});
        auto made = std::make_unique<User>(std::move(socket));
        made->read_on();
        asio::write(made->outer, asio::buffer(std::string("hi")));
        return made;
    }
    bool is_served_by(const User& user, const std::string& node) {
        return until([&] { return !user.in.empty() || user.eof || user.read_error; }) &&
               user.in == node + ":hi";
    }

    plugin_test::EtcdServer etcd;
    asio::io_context io;
    std::unique_ptr<Gateway> one, two;
    Agent alpha_one{io, "alpha"}, alpha_two{io, "alpha"};
    Agent beta_one{io, "beta"}, beta_two{io, "beta"};
};

}  // namespace umbra::gateway::testing
