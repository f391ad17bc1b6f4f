#pragma once

#include "stream_impl.hpp"

#include <deque>
#include <memory>

namespace umbra::gateway {

/// Streams that have bytes to send, in the order of their turns: those that sent little before
/// those that filled their last turn, so that a keystroke does not wait for downloads; but of a
/// rush of small ones no more than `run_bytes` go before the next large one.
class ReadyStreams {
public:
    static constexpr std::size_t quantum_bytes = 16u << 10;  ///< A turn when others wait as well.
    static constexpr std::size_t run_bytes = 64u << 10;

    /// Once is enough: who stands in line already stays there.
    void push(std::shared_ptr<StreamImpl> stream) {
        if (stream->is_queued()) return;
        stream->set_queued(true);
        (stream->is_bulk() ? bulk_ : sparse_).push_back(std::move(stream));
    }
    /// @pre `!empty()`
    [[nodiscard]] std::shared_ptr<StreamImpl> pop() {
        const bool of_bulk = sparse_.empty() || (run_ >= run_bytes && !bulk_.empty());
        auto& from = of_bulk ? bulk_ : sparse_;
        if (of_bulk) run_ = 0;
        auto next = std::move(from.front());
        from.pop_front();
        next->set_queued(false);
        return next;
    }
    /// What `stream`, just taken out, may send: `all` when nobody waits whom that would delay.
    [[nodiscard]] std::size_t turn_bytes(const StreamImpl& stream, std::size_t all) const noexcept {
        return sparse_.empty() && (stream.is_bulk() || bulk_.empty()) ? all : quantum_bytes;
    }
    /// The stream had its turn and sent `bytes`.
    void served(StreamImpl& stream, std::size_t bytes) {
        if (!stream.is_bulk()) run_ += bytes;
        stream.set_bulk(bytes >= quantum_bytes);
    }
    [[nodiscard]] bool empty() const noexcept { return sparse_.empty() && bulk_.empty(); }
    void clear() {
        sparse_.clear();
        bulk_.clear();
    }

private:
    std::deque<std::shared_ptr<StreamImpl>> sparse_, bulk_;
    std::size_t run_ = 0;  ///< Sent by sparse streams since the last bulk one.
};

}  // namespace umbra::gateway
