#pragma once

#include "events.hpp"
#include <umbra/sdk/reply.hpp>

#include <mutex>
#include <optional>

namespace umbra::zeromq {

/// Where the socket thread leaves events and the host takes them, one for each time it asks. The
/// host asks again after every event; that it need not wake the socket thread for this is half of
/// what an event costs.
///
/// Threads: any.
class EventPort {
public:
    /// False when this very event was dropped, as EventQueue::push().
    bool push(TransportEvent event);
    /// Answers with the next event, now or when it comes. One wait is open at a time.
    void take(Reply<TransportEvent> reply);
    /// Answers a wait that the host has cancelled.
    void drop_canceled();
    /// From now on there are no events but those that wait already.
    void close(const Error& why);
    /// The same, and what waits goes too.
    void end(const Error& why);

    [[nodiscard]] std::uint64_t dropped() const;

private:
    mutable std::mutex mutex_;
    EventQueue events_;              // Protected by mutex_, as all below.
    Reply<TransportEvent> waiting_;  // Only while there is no event.
    std::optional<Error> closed_;
};

}  // namespace umbra::zeromq
