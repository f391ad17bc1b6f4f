#pragma once

#include "uplink.hpp"
#include <umbra/gateway/register.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::simulation {

class Instance;
class Checker;

/// The gateway: the production register behind a thin model of its links, its disk and its clients.
class Gateway {
public:
    Gateway(World& world, Checker& checker, std::array<Instance*, 2>& instances)
        : world_(world), checker_(checker), instances_(instances) {}

    void boot();
    void crash();
    /// The disk was lost too; the next boot knows that (R8).
    void lose_record() { lost_ = true; }
    void pause(Duration gap);
    /// Ends a pause before its time.
    void go_on();

    // What arrives over a connection.
    void hello(const std::shared_ptr<Connection>& link, const gateway::msg::Hello& hello);
    void heard(const std::shared_ptr<Connection>& link);
    void closed(const std::shared_ptr<Connection>& link);
    void claim(const std::shared_ptr<Connection>& link, gateway::msg::Claim ask);
    void activate(const std::shared_ptr<Connection>& link, gateway::msg::Activate ask);
    void consent(const std::shared_ptr<Connection>& link, const gateway::msg::Consent& ask);
    void in_sync(const std::shared_ptr<Connection>& link, const gateway::msg::InSync& ask);
    void drain(const std::shared_ptr<Connection>& link, gateway::Epoch epoch);

    /// One client comes and wants to be served.
    void serve_client();
    /// An operator counts the node as in sync, whatever is lost by it.
    void admit(std::size_t node);

    [[nodiscard]] bool up() const { return register_.has_value(); }
    [[nodiscard]] bool paused() const { return world_.now() < paused_until_; }
    [[nodiscard]] const gateway::Record& record() const { return disk_; }
    [[nodiscard]] bool rebuilding() const { return register_ && register_->rebuilding(); }
    struct Active {
        std::size_t node;
        std::uint64_t life;
        gateway::Epoch epoch;
        std::string incarnation;
    };
    [[nodiscard]] const std::optional<Active>& active() const { return active_; }
    [[nodiscard]] Duration lease() const { return settings_.lease; }

    /// Runs now, or after the pause; never when the gateway died meanwhile.
    void when_running(Action action);

private:
    [[nodiscard]] Instant monotonic(Instant at) const {
        return world_.clocks[gateway_place].read(at);
    }
    [[nodiscard]] Instant clock();
    void wake(Duration gap);
    void tell(const gateway::Fact& fact);
    void refresh_heard();
    void arm_timer();
    void watch_links();
    void close(const std::shared_ptr<Connection>& link);
    template <class F>
    void send(const std::string& node, F deliver);
    void carry_out(const gateway::Effect& effect);
    void carry_out_store(const gateway::effect::Store& e);
    void carry_out_claim(const gateway::effect::AnswerClaim& e);

    World& world_;
    Checker& checker_;
    std::array<Instance*, 2>& instances_;
    gateway::Register::Settings settings_;
    gateway::Record disk_;
    std::optional<gateway::Record> storing_;
    bool lost_ = false;
    std::optional<gateway::Register> register_;
    std::optional<Active> active_;
    std::uint64_t life_ = 0;
    std::uint64_t arm_ = 0;
    Instant paused_until_{};
    Instant consent_until_{};  ///< On the gateway's clock.
    Instant last_wall_{};
    std::vector<Action> inbox_;
    std::vector<std::shared_ptr<Connection>> links_;
    std::shared_ptr<Connection> greeting_;
    std::map<std::string, gateway::ClaimReason> reasons_;  ///< Of each node's last claim.
    gateway::Record before_;
};

/// Process number of an instance as the identity it shows to the gateway.
[[nodiscard]] gateway::BootId boot_id(std::uint64_t life);
[[nodiscard]] std::size_t place_of(const std::string& node);

}  // namespace umbra::simulation
