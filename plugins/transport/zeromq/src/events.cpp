#include "events.hpp"

#include <algorithm>
#include <utility>

namespace umbra::zeromq {

namespace {

using Type = TransportEvent::Type;

bool is_link(const TransportEvent& event) {
    return event.type == Type::link_up || event.type == Type::link_lost ||
           event.type == Type::refused;
}
bool is_update(const TransportEvent& event) { return event.type == Type::update; }

std::size_t size_of(const TransportEvent& event) {
    std::size_t size = sizeof event + event.detail.size();
    for (const auto& frame : event.frames) size += frame.size();
    return size;
}

}  // namespace

bool EventQueue::push(TransportEvent event) {
    if (merge(event)) return true;
    const bool link = is_link(event);
    bytes_ += size_of(event);
    link_events_ += link ? 1 : 0;
    events_.push_back(std::move(event));
    if (link_events_ > link_events_max) drop_first(&is_link);
    while (full() && std::any_of(events_.begin(), events_.end(), is_update)) {
        drop_first(&is_update);
        ++dropped_;
    }
    // No update is left to give way: what came last was a question, or news of which few wait.
    if (full() && !link && events_.back().type == Type::asked) {
        bytes_ -= size_of(events_.back());
        events_.pop_back();
        ++dropped_;
        return false;
    }
    return true;
}

std::optional<TransportEvent> EventQueue::pop() {
    if (events_.empty()) return std::nullopt;
    TransportEvent event = std::move(events_.front());
    events_.pop_front();
    bytes_ -= size_of(event);
    link_events_ -= is_link(event) ? 1 : 0;
    return event;
}

bool EventQueue::merge(const TransportEvent& event) {
    if (event.type == Type::stranger) {
        const auto waiting = std::find_if(events_.begin(), events_.end(),
                                          [](const auto& e) { return e.type == Type::stranger; });
        if (waiting == events_.end()) return false;
        waiting->count += event.count;
        return true;
    }
    if (event.type != Type::refused) return false;
    const auto last = std::find_if(events_.rbegin(), events_.rend(), is_link);
    return last != events_.rend() && last->type == Type::refused;
}

bool EventQueue::full() const { return events_.size() > events_max || bytes_ > event_bytes_max; }

void EventQueue::drop_first(bool (*matches)(const TransportEvent&)) {
    const auto first = std::find_if(events_.begin(), events_.end(), matches);
    if (first == events_.end()) return;
    bytes_ -= size_of(*first);
    link_events_ -= is_link(*first) ? 1 : 0;
    events_.erase(first);
}

}  // namespace umbra::zeromq
