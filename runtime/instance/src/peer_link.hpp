#pragma once

#include "invitation.hpp"
#include "state_file.hpp"
#include <umbra/config/instance_file.hpp>
#include <umbra/core/effect.hpp>
#include <umbra/core/fact.hpp>
#include <umbra/host/handles.hpp>
#include <umbra/instance/control.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace umbra::instance {

constexpr Duration invitation_life{std::chrono::minutes{15}};
constexpr std::size_t invitations_max = 16;

/// The link to the other instance: carries the core's messages over the transport plugin, turns
/// what comes back into facts, and exchanges keys when the two meet for the first time.
class PeerLink {
public:
    using Report = std::function<void(core::Fact)>;
    /// Stores the new peer (nothing: forgets it) durably, then answers.
    using Pin = std::function<void(std::optional<PinnedPeer>, std::function<void()> done)>;

    struct Place {
        host::Surroundings surroundings;
        std::string node, version;
        config::TransportConfig config;
        std::string permitted;
        Duration request_timeout{};
    };

    PeerLink(Place place, std::unique_ptr<host::TransportHandle> handle,
             std::optional<PinnedPeer> peer, Report report, Pin pin);

    /// Binds and connects. @param done  With the error of the plugin when it could not.
    void open(std::function<void(Result<Done>)> done);

    void carry_out(const core::effect::SetPong& effect);
    void carry_out(const core::effect::Ping& effect);
    void carry_out(const core::effect::AskPeer& effect);
    void carry_out(const core::effect::AnswerPeer& effect);
    void carry_out(const core::effect::Publish& effect);
    /// Tells the transport that the loop is alive.
    void refresh_pong();

    void invite(Control::Done done);
    void join(const std::string& invitation, Control::Done done);
    void forget(Control::Done done);
    /// Connects elsewhere: `peer` of [transport] has changed. An empty endpoint is the one that the
    /// other side told at the introduction.
    void redirect(std::string publish, std::string respond, std::function<void(Result<Done>)> done);
    /// Other values for the live options of the plugin.
    void change_options(const config::OptionValues& values, host::Callback<Done> done);
    /// Asks `rounds` pings and says whether the time-outs suit the link.
    void check(const Timers& timers, Control::Done done);

    [[nodiscard]] const std::optional<PinnedPeer>& peer() const { return peer_; }
    [[nodiscard]] bool linked() const { return linked_; }
    [[nodiscard]] std::uint64_t strangers() const { return strangers_; }
    [[nodiscard]] const std::string& detail() const { return detail_; }
    [[nodiscard]] const TransportOpened& opened() const { return opened_; }
    void stop(Duration limit, std::function<void()> done);

private:
    struct Check;

    void pull();
    void arm_outbox();
    void send_outbox();
    void take(const TransportEvent& event);
    void take_introduction(const TransportEvent& event);
    void answer_guest(std::uint64_t id, const JoinReply& reply);
    void reconfigure(std::function<void(Result<Done>)> done);
    void drop_expired_guests();
    void dial_new_peer();
    void check_round(std::shared_ptr<Check> check);
    [[nodiscard]] TransportSpec spec() const;

    Place place_;
    std::unique_ptr<host::TransportHandle> handle_;
    std::optional<PinnedPeer> peer_;
    Report report_;
    Pin pin_;
    TransportOpened opened_;
    std::map<std::string, Instant> guests_;  ///< One-time identity -> end of its invitation.
    std::string pong_;
    Frames outbox_;  ///< Published when this turn of the loop is over.
    std::size_t outbox_bytes_ = 0;
    bool pong_changed_ = false;
    bool outbox_armed_ = false;
    bool linked_ = false;
    bool open_ = false;
    /// The peer was admitted a moment ago and may not have stored our key yet: it is dialed once it
    /// has spoken, because a connection that it refuses is not repeated for seconds.
    bool dial_deferred_ = false;
    std::uint64_t strangers_ = 0;
    std::string detail_ = "not connected yet";
};

}  // namespace umbra::instance
