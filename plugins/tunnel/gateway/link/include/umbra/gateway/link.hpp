#pragma once

#include <umbra/gateway/budget.hpp>
#include <umbra/gateway/control.hpp>
#include <umbra/gateway/identity.hpp>
#include <umbra/gateway/loops.hpp>
#include <umbra/gateway/open.hpp>
#include <umbra/gateway/sparse_traffic.hpp>
#include <umbra/sdk/time.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace umbra::gateway {

inline constexpr std::size_t streams_per_link_max = 65'536;
inline constexpr std::size_t link_queued_bytes_max = 64u << 20;  ///< Received, not yet delivered.
inline constexpr std::size_t link_unsent_bytes_max = 4u << 20;   ///< Peer does not read: closed.
inline constexpr Duration admission_limit = std::chrono::seconds(5);

class Link;

/// How a stream ended.
enum class StreamEnd {
    finished,   ///< Both directions were closed in order.
    refused,    ///< The far side sent a STATUS other than ok.
    reset,      ///< One of the two users, or one of the two ends, broke it off.
    link_lost,  ///< The link below it closed.
};

/// One user connection over a link. Not thread-safe; belongs to the thread of its link.
///
/// Lifetime: the link keeps it until it ended; whoever wants to use it longer holds the pointer, or
/// better a weak one. After its end every function does nothing.
class Stream : public std::enable_shared_from_this<Stream> {
public:
    struct Events {
        /// Opener only: the answer of the far side. Unless ok, `on_closed(refused)` follows.
        std::function<void(const OpenStatus&)> on_status;
        /// Exactly once, never from inside a call into the stream. The socket is closed already: in
        /// order after `finished`, else with a reset, so that the user notices.
        std::function<void(StreamEnd, const std::string& why)> on_closed;
    };

    virtual ~Stream() = default;

    virtual void listen(Events events) = 0;
    /// Carries bytes between the far side and `socket`, both ways, until it ends. On the acceptor's
    /// end it first sends STATUS ok. The opener may attach before or after STATUS: before it, bytes
    /// of the user may be lost to a refusal; after it, a refused user can be sent elsewhere.
    virtual void attach(boost::asio::ip::tcp::socket socket) = 0;
    /// Acceptor only, instead of `attach`: tells why and ends the stream.
    virtual void refuse(StatusCode code, std::string text) = 0;
    /// Breaks it off, now.
    virtual void reset(std::string why) = 0;

    [[nodiscard]] virtual std::uint32_t id() const noexcept = 0;
    /// Of what was asked for when it was opened.
    [[nodiscard]] virtual std::uint64_t epoch() const noexcept = 0;
    /// Acceptor only: what the far side asked for. The opener keeps nothing of it.
    [[nodiscard]] virtual const OpenRequest& request() const noexcept = 0;
    /// User bytes from the far side, and towards it.
    [[nodiscard]] virtual std::uint64_t bytes_in() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t bytes_out() const noexcept = 0;
};

/// Why a link closed.
struct LinkClosed {
    enum class Why {
        local,      ///< `close()` was called here.
        lost,       ///< The connection ended or broke.
        handshake,  ///< TLS failed, or it took too long.
        wrong_key,  ///< The peer's key is none of `LinkOptions::expected`.
        protocol,   ///< The peer broke a rule or a limit; to be counted.
        silent,     ///< Nothing was heard for `dead_after`.
    };
    Why why = Why::lost;
    std::string text{};
    Instant last_heard{};  ///< When the other side last said anything; the epoch if never.
};

struct LinkEvents {
    /// TLS is up and `peer_pin()` is proven. Control messages may be sent from here on.
    std::function<void()> on_ready{};
    std::function<void(ControlMessage)> on_control{};
    /// The far side opens a stream; attach or refuse it now or later. Only after `admit()`.
    std::function<void(std::shared_ptr<Stream>)> on_open{};
    /// Exactly once, after every stream of it has ended; never from inside a call into the link.
    std::function<void(const LinkClosed&)> on_closed{};
};

struct LinkOptions {
    KeyPins expected{};  ///< Only these keys are accepted; none: any, the owner decides.
    /// Both 0: neither pings nor watches. May be changed at `admit()`. Without `proof_for` pings go
    /// out less often, at most once a second and four times in `dead_after`: the other end pings.
    Duration ping_every{};
    Duration dead_after{};
    /// A link that has no fresh proof of being alive (a ping answered, counted from when it was
    /// *sent*) for this long holds back what it received until it has one: a process that was
    /// frozen delivers nothing that was meant for the time before. 0: never.
    Duration proof_for{};
    /// What all links of the process share.
    std::shared_ptr<MemoryBudget> budget = std::make_shared<MemoryBudget>();
    std::shared_ptr<SparseTraffic> sparse = std::make_shared<SparseTraffic>();
    /// Moves the bytes, while everything is called and told on the socket's loop as ever. Null:
    /// that loop itself. Outlives the link.
    Loop* loop = nullptr;
};

/// One TLS connection between an agent and the gateway, with its streams.
///
/// Not thread-safe: made and used on the thread that runs the socket's io_context, where all
/// events come from. The events may call anything here, also `close()`.
///
/// A peer that breaks a rule or a limit (frames, control messages, windows, ids, preambles) loses
/// the connection, with `LinkClosed::Why::protocol`; nothing else happens.
///
/// Flow control: a stream's window begins with 256 KiB and follows what its path carries; that of a
/// bulk stream is 2 MiB at least while no stream of the process that sends little brings anything.
/// Only bytes that the local socket took are credited, so a user that does not read holds back
/// nobody but himself. What waits to be sent is bounded by no longer reading the local sockets;
/// streams that send little go before those that fill their turns.
class Link : public std::enable_shared_from_this<Link> {
public:
    /// @param socket  Connected. TCP_NODELAY is set by the link.
    static std::shared_ptr<Link> make(boost::asio::ip::tcp::socket socket, TlsIdentity identity,
                                      LinkOptions options);
    virtual ~Link() = default;

    /// Begins the handshake. The link keeps itself alive until `on_closed`.
    virtual void start(LinkEvents events) = 0;
    /// Lets the peer use streams and large messages, stops the admission time limit (5 s), and sets
    /// the timing of `options` anew. The gateway calls it when it sends Welcome, the agent when it
    /// gets it.
    virtual void admit(Duration ping_every, Duration dead_after, Duration proof_for) = 0;
    virtual void send(const ControlMessage& message) = 0;
    /// @return `Errc::exhausted` at `streams_per_link_max`, `Errc::closed` unless admitted and
    /// open.
    virtual Result<std::shared_ptr<Stream>> open(OpenRequest request) = 0;
    /// Sends what is queued as far as the kernel takes it at once, then closes. Idempotent.
    virtual void close(std::string why) = 0;
    /// Resets every stream but those that `keep` wants.
    virtual void reset_streams(const std::function<bool(const Stream&)>& keep, std::string why) = 0;

    /// Empty before `on_ready`.
    [[nodiscard]] virtual const std::string& peer_pin() const noexcept = 0;
    /// Of the key that this end showed.
    [[nodiscard]] virtual const std::string& own_pin() const noexcept = 0;
    /// Minor version of the protocol that both ends know: what needs a higher one is not sent. 0
    /// before `on_ready`.
    [[nodiscard]] virtual int minor() const noexcept = 0;
    /// "host:port" of the other end.
    [[nodiscard]] virtual const std::string& peer_address() const noexcept = 0;
    /// Keying material of this connection (RFC 5705); equal on both ends. After `on_ready`.
    [[nodiscard]] virtual Result<Bytes> exporter(std::string_view label,
                                                 std::size_t length) const = 0;
    /// When the last byte came from the peer (of the boot-time clock, see `boot_now()`).
    [[nodiscard]] virtual Instant last_heard() const noexcept = 0;
    [[nodiscard]] virtual Duration round_trip() const noexcept = 0;  ///< Last ping; 0 = unknown.
    [[nodiscard]] virtual std::size_t streams() const noexcept = 0;
    /// Bytes that wait to be sent: for choosing the least loaded of several links.
    [[nodiscard]] virtual std::size_t unsent() const noexcept = 0;
    [[nodiscard]] virtual bool is_open() const noexcept = 0;
};

/// CLOCK_BOOTTIME: goes on while the machine sleeps.
[[nodiscard]] Instant boot_now() noexcept;

}  // namespace umbra::gateway
