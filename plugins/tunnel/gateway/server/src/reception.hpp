#pragma once

#include "context.hpp"
#include "pair.hpp"
#include "roster.hpp"
#include <umbra/base/log.hpp>
#include <umbra/gateway/link.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <list>
#include <memory>
#include <string>

namespace umbra::gateway {

/// Connections that have not said who they are; one more drops the oldest.
inline constexpr std::size_t pending_max = 64;

/// Takes in connections of agents: says hello, checks keys, hands links to their pairs, and lets
/// invited nodes enrol. What a stranger can cause is bounded in number, time and memory.
///
/// Threads: none of its own; everything on the loop of the context.
class Reception {
public:
    /// What it needs to know of the rest of the server.
    struct Desk {
        std::function<const Roster&()> roster;
        /// The key for a new link.
        std::function<const TlsIdentity&()> identity;
        /// Takes a message about keys. @return false: it is about something else
        std::function<bool(const Pair& pair, const std::shared_ptr<Session>&,
                           const ControlMessage&)>
            keys;
        /// The pair of that name; made when there is none.
        std::function<Result<Pair*>(const std::string& name)> pair;
        /// Takes a stream that the instance opens.
        std::function<void(const Pair& pair, const Session& session, std::shared_ptr<Stream>)>
            call_out;
        /// Changes the roster durably, one change after the other. `edit` returns why not.
        std::function<void(std::function<Result<Done>(Roster&)> edit,
                           std::function<void(Result<Done>)> done)>
            change;
    };

    Reception(Context& context, Desk desk);

    void receive(boost::asio::ip::tcp::socket socket);
    void stop();
    [[nodiscard]] std::size_t pending() const noexcept { return pending_.size(); }

private:
    struct Guest {
        std::shared_ptr<Link> link;
        std::shared_ptr<Session> session;  ///< Set once it is known; then `pair` is, too.
        Pair* pair = nullptr;
        bool said = false;  ///< The one message that decides has come.
    };
    using GuestPtr = std::shared_ptr<Guest>;

    void on_control(const GuestPtr& guest, ControlMessage message);
    void on_closed(const GuestPtr& guest, const LinkClosed& closed);
    void hello(const GuestPtr& guest, const msg::Hello& hello);
    void enrol(const GuestPtr& guest, const msg::Enrol& enrol);
    void finish_enrolment(const GuestPtr& guest, const msg::Enrol& enrol, const std::string& pair);
    void refuse(const GuestPtr& guest, RefusalCode code, std::string text);
    void log_stranger(const GuestPtr& guest, std::string_view text);

    Context& context_;
    Desk desk_;
    std::list<GuestPtr> pending_;
    base::RateLimit stranger_log_{std::chrono::seconds{1}};
};

}  // namespace umbra::gateway
