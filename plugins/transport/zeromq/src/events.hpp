#pragma once

#include "settings.hpp"
#include <umbra/sdk/transport.hpp>

#include <cstdint>
#include <list>
#include <optional>

namespace umbra::zeromq {

/// What waits for the host, bounded in number and bytes. When it overflows the oldest updates go:
/// the host repairs gaps. Then new questions: who asked will ask again. News about the link stay;
/// only when too many of them wait does the oldest go, which later ones have overtaken.
class EventQueue {
public:
    /// False when this very event was dropped: a question for which there was no room.
    bool push(TransportEvent event);
    [[nodiscard]] std::optional<TransportEvent> pop();

    [[nodiscard]] std::size_t size() const { return events_.size(); }
    /// Updates and questions that were dropped so far.
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

private:
    [[nodiscard]] bool merge(const TransportEvent& event);
    [[nodiscard]] bool full() const;
    void drop_first(bool (*matches)(const TransportEvent&));

    std::list<TransportEvent> events_;
    std::size_t bytes_ = 0;
    std::size_t link_events_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace umbra::zeromq
