#pragma once

#include <umbra/sdk/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace umbra::zeromq {

/// CLOCK_MONOTONIC, the clock of `Reply::deadline_ns()`.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Millis = std::chrono::milliseconds;

/// The options of `[transport]`, as declared in plugin.cpp.
struct Options {
    std::string publish, respond;  ///< Declared for the schema; the host passes them to open().
    Duration heartbeat = Millis{250};
    Duration handshake_interval = Millis{3000};
    std::int64_t max_message = 0;
};

// --- limits: what a peer, a guest or a stranger can cost -----------------------------------------

/// Largest part of a message, unless the option says otherwise.
constexpr std::int64_t message_bytes_max = 1 << 20;
/// What CURVE adds to each part: libzmq compares the *encrypted* size with its limit.
constexpr std::int64_t curve_overhead = 33;
/// Parts of one message. libzmq limits the size of a part only.
constexpr std::size_t frames_max = 64;
/// Parts before the empty delimiter of a question: what proxies and REQ sockets put there.
constexpr std::size_t envelope_max = 8;
/// Messages libzmq keeps in each direction of a socket.
constexpr int queue_messages_max = 1000;
/// Messages taken from one socket before the others get their turn.
constexpr int batch_max = 100;
/// Own questions without an answer.
constexpr std::size_t requests_max = 1024;
/// Questions of others that the host has not answered; a guest may have a few only.
constexpr std::size_t questions_max = 1024;
constexpr std::size_t guest_questions_max = 4;
/// Introductions under way at the same time.
constexpr std::size_t introductions_max = 16;
/// Events waiting for the host.
constexpr std::size_t events_max = 1024;
constexpr std::size_t event_bytes_max = std::size_t{64} << 20;
constexpr std::size_t link_events_max = 64;
/// Keys that were permitted once; kept to tell a revoked one from one that is early.
constexpr std::size_t revoked_max = 256;

// --- times
// ----------------------------------------------------------------------------------------

/// A connection whose heartbeats stay unanswered for this many intervals is dropped and redialled.
constexpr int heartbeats_missed_max = 4;
constexpr Millis reconnect_min{10};
constexpr Millis reconnect_max{200};
/// A lost SYN is given up after this and sent again, instead of after the back-off of TCP.
constexpr Millis connect_timeout{1000};
/// Back-off of a link that the other side did not let in.
constexpr Millis redial_min{100};
constexpr Millis redial_max{1000};
/// A link that is down for this long gets new sockets, whatever the old ones are waiting for.
constexpr Millis redial_when_down{5000};
/// Back-off of the refusal probe while the link is down.
constexpr Millis probe_min{1};
constexpr Millis probe_max{1000};
/// How often the same REFUSED, STRANGER or overflow is told again.
constexpr Millis repeat_interval{1000};
/// How long a start-up self-test may take.
constexpr Millis self_test_max{5000};
/// How long a bind waits for the port that a closing socket still holds.
constexpr Millis bind_wait{500};
/// An introduction without a deadline ends after this.
constexpr Millis introduction_default{10000};
/// A cut-off of a revoked peer waits this long for answers that are still owed to guests.
constexpr Millis kick_wait{1000};
/// The loop looks for cancelled operations at least this often.
constexpr Millis tick{100};

}  // namespace umbra::zeromq
