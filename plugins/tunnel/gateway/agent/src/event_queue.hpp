#pragma once

#include <umbra/sdk/tunnel.hpp>

#include <deque>

namespace umbra::gateway {

/// Events on their way to the host. Holds at most one of each type: what is newer replaces what
/// the host has not fetched yet, so a host that does not ask costs no memory.
class EventQueue {
public:
    void push(TunnelEvent event);
    /// The host asks for the next one. At most one question is open; another is refused.
    void ask(Reply<TunnelEvent> reply);
    /// Answers the open question with `Errc::closed`, and every later one.
    void close();

private:
    void serve();

    std::deque<TunnelEvent> events_;
    Reply<TunnelEvent> asked_;
    bool closed_ = false;
};

}  // namespace umbra::gateway
