#pragma once

#include <umbra/sdk/tunnel.hpp>

#include <optional>
#include <utility>

namespace umbra::supervised {

/// The state of a tunnel on its way to the host: what is newer replaces what the host has not
/// fetched yet, so that a host that does not ask costs no memory.
class StateQueue {
public:
    /// Nothing when it is what was reported last.
    void report(TunnelState state, std::uint32_t links, std::string detail) {
        TunnelEvent event;
        event.state = state;
        event.links = links;
        event.detail = std::move(detail);
        const bool same = last_ && last_->state == event.state && last_->links == event.links &&
                          last_->detail == event.detail;
        if (closed_ || same) return;
        last_ = event;
        waiting_ = std::move(event);
        serve();
    }
    /// The host asks for the next one. At most one question is open; another is refused.
    void ask(Reply<TunnelEvent> reply) {
        if (closed_) return reply.fail(Errc::closed, "the tunnel is stopping");
        if (asked_) {
            if (!asked_.canceled())
                return reply.fail(Errc::conflict,
                                  "another question for the next event is still open");
            asked_.fail(Errc::canceled, "canceled");
        }
        asked_ = std::move(reply);
        serve();
    }
    /// Answers the open question with `Errc::closed`, and every later one.
    void close() {
        closed_ = true;
        waiting_.reset();
        if (asked_) asked_.fail(Errc::closed, "the tunnel is stopping");
    }

private:
    void serve() {
        if (!asked_ || !waiting_) return;
        const TunnelEvent event = *std::exchange(waiting_, std::nullopt);
        Reply<TunnelEvent> reply = std::move(asked_);
        reply.ok(event);
    }

    std::optional<TunnelEvent> last_, waiting_;
    Reply<TunnelEvent> asked_;
    bool closed_ = false;
};

}  // namespace umbra::supervised
