#pragma once

#include "client.hpp"
#include "context.hpp"
#include "register_file.hpp"
#include "roster.hpp"
#include "shared_register.hpp"
#include <umbra/base/log.hpp>
#include <umbra/gateway/link.hpp>
#include <umbra/gateway/register.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace umbra::gateway {

inline constexpr std::size_t links_per_node_max = 16;

/// A link whose key is known, in its pair.
struct Session {
    std::shared_ptr<Link> link;
    std::string node;
    BootId boot{};
    bool changes_keys = false;  ///< What it said of its keys is not stored yet.
    bool retiring = false;      ///< Used for new streams only if there is no other.
};

/// One pair of instances: its register, its links, and the clients that want to reach it.
///
/// Carries facts into the register and its wishes out to links and disk, in order. Streams go to
/// the node that activated the current epoch; while there is none, clients are parked.
///
/// Threads: none of its own; everything on the loop of the context.
class Pair final : private SharedRegister::User {
public:
    using AdmitAnswer = std::function<void(bool ok, std::string text)>;

    Pair(Context& context, std::string name, RegisterFile::Opened opened,
         std::set<std::string> members);

    /// Takes a link in, or refuses and closes it.
    void hello(const std::shared_ptr<Session>& session, const msg::Hello& hello);
    /// @pre `hello` was called with the session, and `closed` was not
    void control(const std::shared_ptr<Session>& session, const ControlMessage& message);
    void closed(const std::shared_ptr<Session>& session);

    /// Gives the client a stream, parks it, or turns it away.
    void serve(std::shared_ptr<Client> client);

    /// Why this process may not call out under `epoch`; nothing when it is the active one.
    [[nodiscard]] std::optional<OpenStatus> objection(const Session& session, Epoch epoch) const;

    void each_link(const std::function<void(Session&)>& visit);
    void enrolled(const std::string& node);
    void removed(const std::string& node);
    void admit(const std::string& node, AdmitAnswer answer);
    /// The loop stood still for `gap`.
    void stalled(Duration gap);
    /// Time limits of parked clients, and a holder that is heard again. How often: see
    /// `tick_after`.
    void tick();
    [[nodiscard]] bool someone_is_parked() const { return !parked_.empty(); }
    void stop();

    /// Whether streams may be routed at all: see `SharedRegister`.
    [[nodiscard]] bool may_route() const;

    [[nodiscard]] boost::json::object status(const Roster& roster);
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
    struct Node {
        BootId boot{};
        std::vector<std::shared_ptr<Session>> sessions;  ///< The first one carries messages.
    };
    struct Active {
        std::string node;
        BootId boot{};
        Epoch epoch = 0;
    };

    void tell(const Fact& fact) override;
    [[nodiscard]] PairNote note() override;
    void suspend(const std::string& why) override;
    void resume() override;
    void keep_copy();
    void refresh_heard();
    void apply(const std::vector<Effect>& effects);
    void carry_out(const effect::Store& e);
    void carry_out(const effect::Welcome& e);
    void carry_out(const effect::Refuse& e);
    void carry_out(const effect::CutLinks& e);
    void carry_out(const effect::AnswerClaim& e);
    void carry_out(const effect::AnswerConsent& e);
    void carry_out(const effect::AnswerInSync& e);
    void carry_out(const effect::AnswerAdmit& e);
    void carry_out(const effect::PushRegister& e);
    void carry_out(const effect::PushHolderLost& e);
    void carry_out(const effect::PushFenced& e);
    void carry_out(const effect::CutBelow& e);
    void carry_out(const effect::Alert& e);
    void arm_timer();
    void send(const std::string& node, const ControlMessage& message);
    void activate(Session& session, const msg::Activate& ask);

    [[nodiscard]] std::shared_ptr<Link> route() const;
    void open_stream(const std::shared_ptr<Client>& client, const std::shared_ptr<Link>& link);
    void on_status(const std::shared_ptr<Client>& client, const std::shared_ptr<Stream>& stream,
                   const OpenStatus& status);
    void watch_served(Client& client, Stream& stream);
    void park(const std::shared_ptr<Client>& client, bool again);
    void unpark(Client& client);
    void watch_parked(const std::shared_ptr<Client>& client);
    void gave_up(const std::shared_ptr<Client>& client);
    [[nodiscard]] bool drop_half_closed();
    void release_parked();
    [[nodiscard]] std::size_t streams() const;
    [[nodiscard]] std::size_t draining() const;

    Context& context_;
    std::string name_;
    std::shared_ptr<RegisterFile> file_;  ///< The disk thread alone uses it.
    std::uint64_t kept_serial_ = 0;       ///< Of a shared register, what `file_` was told to keep.
    std::string suspended_;               ///< Why nothing is routed, for the status.
    Register register_;
    std::map<std::string, Node> nodes_;
    std::optional<Active> active_;
    std::shared_ptr<Session> greeting_;  ///< Whose hello is being told to the register.
    std::deque<std::shared_ptr<Client>> parked_;
    std::uint64_t activations_ = 0;  ///< Also counts links that came back.
    bool releasing_ = false;
    bool swept_ = false;                     ///< In this tick; see `drop_half_closed`.
    std::map<Epoch, std::size_t> served_{};  ///< Streams of clients, by their epoch.
    Epoch routed_ = 0;                       ///< The highest that a client was sent to.
    boost::asio::steady_timer timer_;
    std::optional<Instant> armed_for_;
    std::map<std::uint64_t, AdmitAnswer> admits_;
    std::uint64_t next_admit_ = 0;
};

/// Timing that follows from the lease.
[[nodiscard]] Duration ping_every(Duration lease);
[[nodiscard]] Duration dead_after(Duration lease);

}  // namespace umbra::gateway
