#pragma once

#include <umbra/core/fact.hpp>
#include <umbra/sdk/time.hpp>

#include <cstdint>
#include <optional>

namespace umbra::core {

/// Watches whether the other instance answers.
///
/// "Silent" is a report, not a truth: a healthy peer on a busy machine can be late, and so can the
/// watcher. Costly acts wait for `silent_for()` to pass a limit *and* for a second observer (the
/// gateway). A refused connection is evidence of another kind: the peer's host answered and said
/// that nobody is there.
///
/// Silence counts from when the question was sent that stayed without an answer, not from when its
/// time was up. Anything else that the peer says meanwhile starts the count anew: a link on which
/// answers come too late for the timeout still carries signs of life.
///
/// Pure; the owner asks `due()` and sends the ping.
class PeerWatch {
public:
    /// The transport repeats a refusal every second; an older one says nothing about now.
    static constexpr Duration refusal_counts{std::chrono::milliseconds{2500}};

    explicit PeerWatch(Duration check_interval) : check_interval_(check_interval) {}

    /// A ping should go out now. @post of the following `sent()`: not before the next interval.
    [[nodiscard]] bool due(Instant now) const { return !asked_ && now >= next_; }
    void sent(Instant now, AskId ask);
    /// When `due()` turns true by itself; nothing while a question is open.
    [[nodiscard]] std::optional<Instant> next_ping() const {
        return asked_ ? std::nullopt : std::optional(next_);
    }
    /// Forget everything: another peer, or none.
    void reset(Instant now);
    /// Ask again at once, after a hint that something changed.
    void hurry(Instant now) {
        if (!asked_) next_ = now;
    }

    /// @return false when the answer belongs to an older question.
    bool answered(Instant now, AskId ask, Duration rtt);
    bool failed(AskId ask);
    void refused(Instant now);
    /// The peer asked something: somebody is there again.
    void spoke() { refused_.reset(); }
    /// The peer's main loop said something of its own accord.
    void lived(Instant now);
    void link_lost(Instant now);
    /// The watcher itself did not run for `gap`: what it missed is not the peer's fault.
    void was_late(Instant now, Duration gap);

    /// Time since the first unanswered check of the present row was sent, or since the last sign of
    /// life after it; nothing while all is well.
    [[nodiscard]] std::optional<Duration> silent_for(Instant now) const;
    [[nodiscard]] bool suspected() const { return suspected_.has_value(); }
    /// The latest word from the peer's host, not older than `refusal_counts`, is that it refuses
    /// connections.
    [[nodiscard]] bool is_refused(Instant now) const {
        return refused_ && now - *refused_ < refusal_counts;
    }
    [[nodiscard]] std::optional<Instant> last_heard() const { return heard_; }
    [[nodiscard]] Duration rtt() const { return rtt_; }
    /// The slowest answer of late. Fades by a 32nd with every answer, so that one slow answer is
    /// remembered for about a hundred.
    [[nodiscard]] Duration slowest() const { return slowest_; }
    /// Suspicions that the peer cleared by answering.
    [[nodiscard]] std::uint64_t cleared() const { return cleared_; }

    bool operator==(const PeerWatch&) const = default;

private:
    void suspect(Instant since) {
        if (!suspected_) suspected_ = since;
    }

    Duration check_interval_;
    Instant next_{};
    std::optional<AskId> asked_;
    Instant asked_at_{};
    std::optional<Instant> heard_;
    std::optional<Instant> suspected_;
    std::optional<Instant> refused_;
    Duration rtt_{};
    Duration slowest_{};
    std::uint64_t cleared_ = 0;
};

}  // namespace umbra::core
