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

    /// Silence after which a pair without an arbiter takes over. The default is for people.
    static constexpr Duration takeover_delay_unfenced{std::chrono::seconds{2}};
    /// Silence of the gateway, in leases, that ends a link.
    static constexpr int leases_until_dead = 3;
    /// So little of a log is kept that every life compacts, and who was away needs a snapshot.
    static constexpr core::CompactionPolicy compaction{2, 2, 12};

    /// @param fenced  The far end of the tunnel is a gateway that arbitrates.
    Instance(World& world, Checker& checker, Gateway& gateway, std::size_t place, bool fenced);

    // --- life
    void boot();
    /// @param host_down  Nobody is left to refuse connections.
    void crash(bool host_down);
    void pause(Duration gap);
    /// Ends a pause before its time.
    void go_on();
    /// A fresh disk: another incarnation, unless the mutant hides it. @pre not running
    void wipe();
    void stop() { tell(core::fact::StopRequested{}); }
    void reset_uplink();

    void tell(core::Fact fact);
    /// An editor's request at the door of the shell, which refuses it while there is no room.
    void request_edit(const core::fact::EditRequested& request);
    /// Something said long ago arrives once more at the other instance.
    void replay_old_message();

    [[nodiscard]] bool up() const { return node_.has_value(); }
    [[nodiscard]] bool paused() const { return world_.now() < paused_until_; }
    [[nodiscard]] std::uint64_t life() const { return life_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& incarnation() const { return disk.incarnation; }
    [[nodiscard]] const core::Node& node() const { return *node_; }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }
    [[nodiscard]] bool serves() const { return agent_.active != 0 && agent_.confirmed; }
    [[nodiscard]] bool fenced() const { return fenced_; }
    /// What there was when this shadow last decided to take over.
    struct Decision {
        Duration silence{};      ///< Of the peer.
        bool tunnel_up = false;  ///< A tunnel stood by.
    };
    [[nodiscard]] const Decision& decision() const { return decision_; }
    [[nodiscard]] std::size_t place() const { return place_; }
    [[nodiscard]] const std::set<std::string, std::less<>>& alerts() const { return alerts_; }
    /// When the gateway was last heard over the present link.
    [[nodiscard]] std::optional<Instant> gateway_heard() const;
    /// Of this life: whether the peer answered, failed to answer or refused, and when it asked this
    /// instance to take over.
    [[nodiscard]] bool knows_peer() const { return knows_peer_; }
    [[nodiscard]] Instant invited() const { return invited_; }
    [[nodiscard]] std::size_t backlog() const { return inbox_.size() + facts_.size(); }
    /// The operator of this node is about to force a takeover.
    void note_force() { forced_ = world_.now(); }
    [[nodiscard]] Instant forced() const { return forced_; }

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
        std::uint64_t dials = 0;
        bool view_known = false;
        gateway::RegisterView view;
        core::Epoch known = 0, active = 0;
        bool confirmed = false, draining = false;
        std::map<std::uint64_t, Ask> asks;
        TunnelState reported = TunnelState::down;
    };

    /// Runs now, or after the pause; never when the process died meanwhile.
    void when_running(std::uint64_t life, Action action);
    [[nodiscard]] Instant clock() const { return world_.clocks[place_].read(world_.now()); }
    [[nodiscard]] Duration real(Duration local) const { return world_.clocks[place_].real(local); }
    void wake(Duration late);
    void tick();
    void arm_tick();
    void take_facts();
    void note_state();
    void disk_failed();
    void carry_out(const core::Effect& effect);
    void say(const core::Effect& effect);
    void store_compaction(core::effect::Compact compact);
    void check_speech(const std::string& bytes);
    void cut_to_beacon(const std::string& bytes);
    [[nodiscard]] std::string with_own_digest(const std::string& bytes) const;

    // transport.cpp
    void remember(bool asked, const std::string& bytes);
    void published(const std::string& bytes);
    void ping(core::AskId ask);
    void ask_peer(core::AskId ask, const std::string& bytes);
    void be_asked(std::uint64_t asker_life, core::AskId ask, const std::string& bytes);
    void answered(std::uint64_t life, core::AskId ask, const std::string& bytes, bool pong);
    void time_out(core::AskId ask, bool is_ping);
    void refuse_connection();

    // plain_tunnel.cpp
    void watch_far_end();
    void activate_plain(core::Epoch epoch);

    // agent, agent.cpp
    void hear_view(const gateway::RegisterView& view);
    [[nodiscard]] bool deaf_to(const gateway::RegisterView& view) const;
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
    const bool fenced_;

    std::optional<core::Node> node_;
    std::uint64_t life_;  ///< Grows with every start and end; odd and even keep the two apart.
    std::uint64_t wipes_ = 0;
    bool host_down_ = false;
    Instant paused_until_{};
    std::vector<Action> inbox_;
    std::deque<core::Fact> facts_;
    bool stepping_ = false;
    Instant next_tick_{};
    bool tick_armed_ = false;      ///< For `next_tick_`.
    std::uint64_t tick_turn_ = 0;  ///< Of the last one armed; earlier ones do nothing.
    core::State state_{};
    std::set<std::string, std::less<>> alerts_;
    bool broken_ = false;  ///< The process knows that an fsync failed.
    std::string pong_;
    std::set<core::AskId> asked_;
    Instant pinged_{};  ///< One ping is out at a time.
    std::map<std::uint64_t, std::pair<std::uint64_t, core::AskId>> to_answer_;
    std::uint64_t next_answer_ = 0;
    Instant refusal_told_{};
    bool link_up_ = false;
    bool knows_peer_ = false;
    Instant peer_answered_{}, invited_{}, forced_{};
    Decision decision_;
    struct Said {
        bool asked;
        std::string bytes;
    };
    std::deque<Said> said_;
    std::uint64_t messages_ = 0;
    Agent agent_;
    std::uint64_t next_ask_ = 0;
    Duration link_delay_;
};

}  // namespace umbra::simulation
