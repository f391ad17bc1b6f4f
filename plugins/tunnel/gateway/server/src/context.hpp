#pragma once

#include "admission.hpp"
#include "settings.hpp"
#include <umbra/base/log.hpp>
#include <umbra/gateway/budget.hpp>
#include <umbra/gateway/loops.hpp>
#include <umbra/gateway/sparse_traffic.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace umbra::gateway {

/// What happened since the start. Names are those of `status --json`.
struct Counters {
    std::uint64_t clients = 0;             ///< Accepted.
    std::uint64_t refused_network = 0;     ///< Not let in by `allow`.
    std::uint64_t refused_per_source = 0;  ///< Too many of one address.
    std::uint64_t refused_clients = 0;     ///< Too many at once.
    std::uint64_t served = 0;              ///< Got their stream.
    std::uint64_t parked = 0;              ///< Had to wait for an active instance.
    std::uint64_t park_timeouts = 0;       ///< Waited in vain.
    std::uint64_t park_full = 0;           ///< Turned away, too many waited.
    std::uint64_t park_gave_up = 0;        ///< Broke off while they waited.
    std::uint64_t denied = 0;              ///< No mapping permits what they asked for.
    std::uint64_t backend_failed = 0;      ///< The internal system refused or did not answer.
    std::uint64_t over_limit = 0;          ///< Too many streams.
    std::uint64_t drained = 0;             ///< Streams that outlived a handover and ended in order.
    std::uint64_t drain_cut = 0;          ///< The same, broken off: by the grace period, or a user.
    std::uint64_t bad_requests = 0;       ///< Of SOCKS5 and HTTP CONNECT.
    std::uint64_t strangers = 0;          ///< Keys that are not enrolled.
    std::uint64_t handshakes_failed = 0;  ///< TLS failed, or nothing was said in time.
    std::uint64_t pending_dropped = 0;    ///< Pushed out by newer connections before they said who.
    std::uint64_t protocol_errors = 0;
    std::uint64_t wrong_proofs = 0;   ///< Enrolments with an invitation that does not fit.
    std::uint64_t refused_links = 0;  ///< Enrolled, but turned away.
    std::uint64_t claims_granted = 0;
    std::uint64_t claims_refused = 0;
    std::uint64_t channel_streams = 0;  ///< Of instances, connected to their services.
    std::uint64_t channel_refused = 0;  ///< Of instances, that reached nothing.
};

class SharedRegister;
struct Session;

/// What the parts of the server share. They all live on the thread that runs `io`.
struct Context {
    explicit Context(Settings given) : settings(std::move(given)) {}

    Settings settings;
    boost::asio::io_context io{1};
    /// For the bytes of links, if there is more than one.
    Loops loops{settings.threads, loops_max, [this](const std::string& what) { broken(what); }};
    /// For what waits for the disk: streams must not.
    boost::asio::thread_pool disk{1};
    /// Where several gateways keep the registers together; null: they are on the disk here.
    SharedRegister* shared = nullptr;
    Counters counters;
    /// What all links hold for slow clients.
    const std::shared_ptr<MemoryBudget> budget = std::make_shared<MemoryBudget>();
    /// Whether one of their streams suffers from what others keep under way.
    const std::shared_ptr<SparseTraffic> sparse = std::make_shared<SparseTraffic>();
    std::size_t parked_now = 0;
    std::size_t requests_now = 0;   ///< Of SOCKS5, HTTP CONNECT and PROXY, being read.
    std::size_t farewells_now = 0;  ///< Turned away, but not closed yet.
    Admission admission;
    std::size_t descriptors = 0;  ///< Files and sockets that the process may have open.
    /// One for each kind of refusal.
    std::vector<base::RateLimit> refusal_log =
        std::vector<base::RateLimit>(refusals, base::RateLimit{std::chrono::seconds{1}});
    /// The process can not go on, for example because the disk failed.
    std::function<void(Error)> fail;
    /// A link was sent its welcome.
    std::function<void(Session&)> welcomed;
    /// Tells every pair when the loop stood still; to be called before silence is judged.
    std::function<void()> notice_gap;

    /// A handler on another loop threw; what it was about is in an unknown state.
    void broken(const std::string& what) {
        boost::asio::post(io, [this, what] {
            if (fail) fail({Errc::internal, "internal error: " + what});
        });
    }

    /// Runs `work` beside the loop and `done` with its result on it; in the order of the calls.
    template <class Work, class Done>
    void on_disk(Work work, Done done) {
        boost::asio::post(disk, [this, work = std::move(work), done = std::move(done)]() mutable {
            boost::asio::post(io, [done = std::move(done), result = work()]() mutable {
                done(std::move(result));
            });
        });
    }
};

}  // namespace umbra::gateway
