#pragma once

#include "message.hpp"
#include "settings.hpp"
#include <umbra/sdk/transport.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace umbra::zeromq {

/// When an operation is over by itself; `fallback` for one without a deadline.
template <class T>
TimePoint deadline_of(const Reply<T>& reply, TimePoint fallback) {
    const auto deadline = reply.deadline_ns();
    return deadline == 0 ? fallback : TimePoint{Duration{deadline}};
}

/// Own questions, numbered. On the wire a question is `[number, u64 little endian][empty][frames]`
/// and its answer echoes the first two: what a REQ socket with REQ_CORRELATE does, for any number
/// of questions at a time.
class Requests {
public:
    /// @param fallback  Deadline of a reply that has none.
    void add(Frames frames, Reply<Frames> reply, TimePoint fallback = TimePoint::max());

    /// Sends what was not sent yet.
    void flush(zmq::socket_t& socket);
    [[nodiscard]] bool has_unsent() const { return !unsent_.empty(); }

    /// An answer arrived. False for one that nobody waits for any more: it is dropped.
    bool on_answer(Message message);

    /// Those whose connection is gone will never be answered.
    void fail_sent(const Error& error);
    void fail_all(const Error& error);

    /// Ends those whose deadline passed or that the host cancelled.
    /// @param why_unsent  Told about those that could not even be sent.
    void expire(TimePoint now, const std::string& why_unsent);
    [[nodiscard]] TimePoint next_deadline() const;
    [[nodiscard]] std::size_t size() const { return pending_.size(); }

private:
    struct Pending {
        Frames frames;  ///< Empty once sent.
        Reply<Frames> reply;
        TimePoint deadline;
        bool sent = false;
    };

    std::map<std::uint64_t, Pending> pending_;
    std::vector<std::uint64_t> unsent_;
    std::uint64_t next_number_ = 1;
};

/// Splits an incoming question or answer at its empty delimiter.
struct Parts {
    Frames envelope;  ///< With the delimiter.
    Frames body;
};
[[nodiscard]] std::optional<Parts> split(Frames frames);

/// Questions of others that wait for the host's answer.
class Questions {
public:
    struct Asked {
        Frames envelope;
        std::string identity;
    };

    /// The id to answer; nothing when too many of this asker, or of all, wait already.
    [[nodiscard]] std::optional<std::uint64_t> add(Frames envelope, const std::string& identity,
                                                   bool is_guest);
    [[nodiscard]] std::optional<Asked> take(std::uint64_t id);
    void forget(const std::string& identity);
    void clear() { asked_.clear(); }
    [[nodiscard]] bool empty() const { return asked_.empty(); }

private:
    std::map<std::uint64_t, Asked> asked_;
    std::uint64_t next_id_ = 1;
};

}  // namespace umbra::zeromq
