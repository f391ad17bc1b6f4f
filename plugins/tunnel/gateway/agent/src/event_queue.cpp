#include "event_queue.hpp"

#include <algorithm>

namespace umbra::gateway {

void EventQueue::push(TunnelEvent event) {
    if (closed_) return;
    const auto same = std::find_if(events_.begin(), events_.end(),
                                   [&](const TunnelEvent& e) { return e.type == event.type; });
    if (same != events_.end()) {
        if (event.type == TunnelEvent::Type::denied) event.count += same->count;
        events_.erase(same);
    }
    events_.push_back(std::move(event));
    serve();
}

void EventQueue::ask(Reply<TunnelEvent> reply) {
    if (closed_) return reply.fail(Errc::closed, "the tunnel is stopping");
    if (asked_) {
        if (!asked_.canceled())
            return reply.fail(Errc::conflict, "another question for the next event is still open");
        asked_.fail(Errc::canceled, "canceled");
    }
    asked_ = std::move(reply);
    serve();
}

void EventQueue::serve() {
    if (!asked_ || events_.empty()) return;
    const TunnelEvent event = std::move(events_.front());
    events_.pop_front();
    Reply<TunnelEvent> reply = std::move(asked_);
    reply.ok(event);
}

void EventQueue::close() {
    closed_ = true;
    events_.clear();
    if (asked_) asked_.fail(Errc::closed, "the tunnel is stopping");
}

}  // namespace umbra::gateway
