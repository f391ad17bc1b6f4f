#include "event_port.hpp"

#include <utility>

namespace umbra::zeromq {

// Replies are answered outside of the lock: what they lead to is the host's.

bool EventPort::push(TransportEvent event) {
    Reply<TransportEvent> reply;
    std::optional<TransportEvent> next;
    bool kept = false;
    {
        const std::scoped_lock lock{mutex_};
        kept = events_.push(std::move(event));
        if (waiting_) next = events_.pop();
        if (next) reply = std::exchange(waiting_, {});
    }
    if (next) reply.ok(*next);
    return kept;
}

void EventPort::take(Reply<TransportEvent> reply) {
    std::unique_lock lock{mutex_};
    if (waiting_ && !waiting_.canceled()) {
        lock.unlock();
        reply.fail(Errc::conflict, "another wait for an event is open");
        return;
    }
    auto canceled = std::exchange(waiting_, {});
    const auto next = events_.pop();
    const auto closed = closed_;
    if (!next && !closed) waiting_ = std::move(reply);
    lock.unlock();
    if (canceled) canceled.fail(Errc::canceled, "the wait for an event was cancelled");
    if (next) {
        reply.ok(*next);
    } else if (closed) {
        reply.fail(*closed);
    }
}

void EventPort::drop_canceled() {
    Reply<TransportEvent> canceled;
    {
        const std::scoped_lock lock{mutex_};
        if (waiting_.canceled()) canceled = std::exchange(waiting_, {});
    }
    if (canceled) canceled.fail(Errc::canceled, "the wait for an event was cancelled");
}

void EventPort::close(const Error& why) {
    Reply<TransportEvent> waited;
    {
        const std::scoped_lock lock{mutex_};
        closed_ = why;
        waited = std::exchange(waiting_, {});
    }
    if (waited) waited.fail(why);
}

void EventPort::end(const Error& why) {
    {
        const std::scoped_lock lock{mutex_};
        events_ = {};
    }
    close(why);
}

std::uint64_t EventPort::dropped() const {
    const std::scoped_lock lock{mutex_};
    return events_.dropped();
}

}  // namespace umbra::zeromq
