#pragma once

#include "disk.hpp"
#include "uplink.hpp"
#include <umbra/core/node.hpp>
#include <umbra/gateway/register.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace umbra::simulation {

class Checker;
class Gateway;

/// One instance: the production `core::Node` behind a thin model of the shell, its transport, its
/// disk and the agent that keeps the link to the gateway.
class Instance {
public:
    using Replies = std::function<void(core::RequestId, const core::effect::Reply&)>;

    Instance(World& world, Checker& checker, Gateway& gateway, std::size_t place);

    // --- life
    void boot();
    /// @param host_down  Nobody is left to refuse connections.
    void crash(bool host_down);
    void pause(Duration gap);
    /// A fresh disk: another incarnation, unless the mutant hides it. @pre not running
    void wipe();
    void stop() { tell(core::fact::StopRequested{}); }
    void reset_uplink();

    void tell(core::Fact fact);

    [[nodiscard]] bool up() const { return node_.has_value(); }
    [[nodiscard]] bool paused() const { return world_.now() < paused_until_; }
    [[nodiscard]] std::uint64_t life() const { return life_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& incarnation() const { return disk.incarnation; }
    [[nodiscard]] const core::Node& node() const { return *node_; }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }
    [[nodiscard]] bool serves() const { return agent_.active != 0 && agent_.confirmed; }

    void set_other(Instance& other) { other_ = &other; }
    Replies on_reply;

    // --- what the gateway says, agent.cpp
    using Link = std::shared_ptr<Connection>;
    void uplink_closed(const Link& link);
    void uplink_heard(const Link& link);
    void welcomed(const Link& link, const gateway::RegisterView& view);
    void register_pushed(const Link& link, const gateway::RegisterView& view);
    void holder_lost(const Link& link, const gateway::RegisterView& view);
    void fenced(const Link& link, const gateway::RegisterView& view, bool drain);
    void claim_answered(const Link& link, const gateway::effect::AnswerClaim& answer);
    void plain_answer(const Link& link, std::uint64_t ask, bool ok, const std::string& text);
    void activated(const Link& link, std::uint64_t ask);
    void activation_refused(const Link& link, std::uint64_t ask, const gateway::RegisterView& view);

    Disk disk;

private:
    enum class Kind : std::uint8_t { claim, consent, in_sync, activate };
    struct Ask {
        Kind kind;
        core::AskId core_ask;
        core::Epoch epoch;
    };
    /// The tunnel provider's side of the link, in the words of the production agent.
    struct Agent {
        Link link;
        bool connecting = false, up = false;
        bool view_known = false;
        gateway::RegisterView view;
        core::Epoch known = 0, active = 0;
        bool confirmed = false, draining = false;
        std::map<std::uint64_t, Ask> asks;
        TunnelState reported = TunnelState::down;
    };

    /// Runs now, or after the pause; never when the process died meanwhile.
    void when_running(std::uint64_t life, Action action);
    void tick();
    void take_facts();
    void carry_out(const core::Effect& effect);
    void check_speech(const std::string& bytes);

    // transport, instance.cpp
    void ping(core::AskId ask);
    void ask_peer(core::AskId ask, const std::string& bytes);
    void be_asked(std::uint64_t asker_life, core::AskId ask, const std::string& bytes);
    void answered(std::uint64_t life, core::AskId ask, const std::string& bytes, bool pong);
    void time_out(core::AskId ask, bool is_ping);
    void refuse_connection();

    // agent, agent.cpp
    void dial();
    void heartbeat();
    void drop_link();
    void on_view(const gateway::RegisterView& view);
    void changed();
    void tell_view(bool holder_lost);
    void ask_gateway(Kind kind, core::AskId core_ask, core::Epoch epoch,
                     std::function<void(const Link&, std::uint64_t)> deliver);
    void fail(const Ask& ask, const std::string& why);
    void resume_serving();
    void stop_serving();
    void carry_out(const core::effect::Claim& e);
    void carry_out(const core::effect::Activate& e);
    void carry_out(const core::effect::SetInSync& e);
    void carry_out(const core::effect::Consent& e);
    void carry_out(const core::effect::Drain& e);
    [[nodiscard]] TunnelState tunnel_state() const;
    [[nodiscard]] bool from_current(const Link& link) const {
        return node_ && link == agent_.link && link->open_at_node;
    }

    World& world_;
    Checker& checker_;
    Gateway& gateway_;
    Instance* other_ = nullptr;
    const std::size_t place_;
    const std::string name_;
    const Duration clock_offset_;

    std::optional<core::Node> node_;
    std::uint64_t life_;  ///< Grows with every start and end; odd and even keep the two apart.
    std::uint64_t wipes_ = 0;
    bool host_down_ = false;
    Instant paused_until_{};
    std::vector<Action> inbox_;
    std::deque<core::Fact> facts_;
    bool stepping_ = false;
    std::string pong_;
    std::set<core::AskId> asked_;
    std::map<std::uint64_t, std::pair<std::uint64_t, core::AskId>> to_answer_;
    std::uint64_t next_answer_ = 0;
    Instant refusal_told_{};
    bool link_up_ = false;
    std::uint64_t messages_ = 0;
    Agent agent_;
    std::uint64_t next_ask_ = 0;
    Duration link_delay_;
};

}  // namespace umbra::simulation
