#pragma once

#include "channels.hpp"
#include "checks.hpp"
#include "enrolment.hpp"
#include "event_queue.hpp"
#include "key_change.hpp"
#include "options.hpp"
#include "renewal.hpp"
#include "serving.hpp"
#include "uplink.hpp"
#include <umbra/gateway/link.hpp>
#include <umbra/gateway/loops.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace umbra::gateway {

/// The provider behind the plugin's border: links to the gateway, this node's place in the
/// register, the streams it serves. All calls on the loop's thread; lives until the loop is empty.
///
/// Serving: the gate for streams is open from the moment ACTIVATE leaves, because over several
/// links the first stream may overtake the confirmation; it takes streams of that epoch only, and
/// closes on a higher epoch, on a drain, and while no link is up.
class Agent {
public:
    Agent(boost::asio::io_context& io, Context context, AgentOptions options, Route route);

    void open(TunnelSpec spec, Reply<Done> reply);
    void configure(TunnelSpec spec, Reply<Done> reply);
    void claim(std::uint64_t epoch, umbra::ClaimReason reason, Reply<ClaimResult> reply);
    void activate(std::uint64_t epoch, Reply<Done> reply);
    void consent(std::uint64_t epoch, std::string successor, Reply<Done> reply);
    void drain(Duration grace, Reply<Done> reply);
    void set_in_sync(std::uint64_t epoch, std::uint64_t seq, std::vector<umbra::Member> members,
                     Reply<Done> reply);
    void enrol(const std::string& invitation, Reply<Done> reply);
    /// A new key of this node: see `KeyChange::rotate`.
    void rotate_key(Reply<Done> reply);
    /// Whoever asks while a check is under way gets its outcome, too.
    void check(Reply<std::vector<TunnelCheck>> reply);
    void next_event(Reply<TunnelEvent> reply) { events_.ask(std::move(reply)); }
    /// Answers everything that is open and lets the loop run empty.
    void stop();

private:
    /// A question to the gateway that waits for its answer.
    struct Ask {
        Uplink* over = nullptr;  ///< Fails with it.
        std::variant<Reply<ClaimResult>, Reply<Done>> reply;
        std::uint64_t activates = 0;  ///< Epoch, of an ACTIVATE.
    };

    [[nodiscard]] Result<Done> make_uplinks();
    [[nodiscard]] std::unique_ptr<Uplink> make_uplink(std::size_t place);
    [[nodiscard]] std::unique_ptr<Uplink> make_fresh_uplink(std::size_t place);
    void start_uplinks();
    [[nodiscard]] msg::Hello hello(std::size_t index) const;
    [[nodiscard]] Uplink* any_uplink();
    /// Sends `message` (with a fresh ask number in it) over that or any link, and remembers whom to
    /// answer.
    template <class Message, class T>
    void ask(Message message, Reply<T> reply, std::uint64_t activates = 0, Uplink* over = nullptr);

    void on_welcome(Uplink& uplink, const msg::Welcome& welcome);
    void on_control(Uplink& uplink, const ControlMessage& message);
    void on_down(Uplink& uplink);
    void on_view(const RegisterView& view);
    void on_fenced(const RegisterView& view, bool drain);
    void on_claim_answer(const msg::ClaimAnswer& answer);
    void on_activated(std::uint64_t ask);
    void on_epoch_refused(const msg::RefusedEpoch& refused);
    void on_answer(const msg::Answer& answer);
    void on_denied(std::string text);
    void on_call_refused(const std::string& text);

    void resume_serving(Uplink* over = nullptr);
    void stop_serving(StatusCode code, std::string text);
    void finish_drain_if_over();
    void cut_all(const std::string& why);
    [[nodiscard]] Result<std::shared_ptr<Stream>> call_out(OpenRequest request);
    [[nodiscard]] std::size_t streams() const { return serving_.streams() + channels_.streams(); }
    void fail_ask(Ask ask, const Error& error);

    [[nodiscard]] TunnelState state() const;
    [[nodiscard]] std::string detail() const;
    [[nodiscard]] std::uint32_t links_up() const;
    [[nodiscard]] TunnelEvent event(TunnelEvent::Type type) const;
    void changed();
    void report_state();
    void report_denied();

    boost::asio::io_context& io_;
    const Context context_;
    const AgentOptions options_;
    const Route route_;
    const BootId boot_;
    Loops loops_;  ///< Outlives the uplinks.
    bool stopping_ = false;

    std::optional<TunnelSpec> spec_;
    std::string trouble_;  ///< Why there are no uplinks yet.
    bool enrolled_ = true;
    const std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>();
    const std::shared_ptr<SparseTraffic> sparse_ = std::make_shared<SparseTraffic>();
    std::vector<std::unique_ptr<Uplink>> uplinks_;
    std::shared_ptr<Enrolment> enrolment_;

    RegisterView view_;
    bool view_known_ = false;
    std::uint64_t epoch_known_ = 0;   ///< Highest this node has stored.
    std::uint64_t epoch_active_ = 0;  ///< The host activated it and it was not fenced; 0 = none.
    bool confirmed_ = false;          ///< The gateway routes `epoch_active_` to us.
    bool draining_ = false;
    std::vector<Reply<Done>> drain_replies_;

    std::map<std::uint64_t, Ask> asks_;
    std::uint64_t next_ask_ = 1;

    std::shared_ptr<Checks> checks_;
    std::vector<Reply<std::vector<TunnelCheck>>> check_replies_;

    EventQueue events_;
    Serving serving_;
    Channels channels_;
    KeyChange keys_;
    Renewal renewal_;
    boost::asio::steady_timer drain_timer_, report_timer_;
    bool report_armed_ = false;
    std::uint64_t denied_ = 0;
    std::string denied_text_;
    std::uint64_t calls_refused_ = 0;  ///< Since the last line in the log.
    Instant calls_refused_told_{};
    TunnelState state_reported_ = TunnelState::down;
    std::string detail_reported_;
    std::uint32_t links_reported_ = 0;
    std::size_t streams_reported_ = 0;
};

/// The gateway's view in the words of the SDK.
[[nodiscard]] umbra::RegisterView to_host(const RegisterView& view, bool known);

}  // namespace umbra::gateway
