#pragma once

#include <umbra/sdk/plugin.hpp>

#include <string>
#include <vector>

namespace umbra {

/// A message: parts of opaque bytes.
using Frames = std::vector<std::string>;

/// Where a transport listens, whom it talks to, and who may talk to it.
struct TransportSpec {
    std::string own_publish, own_respond;    ///< Endpoints to bind; empty = do not bind.
    std::string peer_publish, peer_respond;  ///< Endpoints of the peer; empty = not known.
    std::string peer_identity;               ///< Pinned; empty = not paired: nobody but guests.
    std::vector<std::string> guests;         ///< One-time identities that may introduce themselves.

    bool operator==(const TransportSpec&) const = default;
};

struct TransportOpened {
    std::string identity;                  ///< Own, kept in the state directory.
    std::string own_publish, own_respond;  ///< As bound: port 0 (`*`) became a number.
};

/// A key pair for one introduction.
struct Minted {
    std::string identity;
    std::string secret;
};

struct TransportEvent {
    enum class Type : std::uint32_t {
        update = UMBRA_TRANSPORT_UPDATE,
        asked = UMBRA_TRANSPORT_ASKED,
        link_up = UMBRA_TRANSPORT_LINK_UP,
        link_lost = UMBRA_TRANSPORT_LINK_LOST,
        refused = UMBRA_TRANSPORT_REFUSED,
        stranger = UMBRA_TRANSPORT_STRANGER,
    };
    Type type = Type::link_lost;
    std::uint64_t id = 0;     ///< asked: what to answer.
    std::string identity;     ///< asked: whose key spoke.
    Frames frames;            ///< update, asked.
    std::uint64_t count = 0;  ///< stranger: how many since the last such event.
    std::string detail;
};

/// Transport: carries updates (publish/subscribe) and questions (request/reply) between the two
/// instances, mutually authenticated by pinned keys. Nothing is ever accepted unauthenticated.
class Transport : public Plugin {
public:
    using Kind = Transport;

    virtual void open(TransportSpec spec, Reply<TransportOpened> reply) = 0;
    /// Other peer, other guests. Own endpoints are unchanged.
    virtual void reconfigure(TransportSpec spec, Reply<Done> reply) = 0;
    /// To the subscribed peer. Delivery is not promised; the core notices what is missing.
    virtual void publish(Frames frames, Reply<Done> reply) = 0;
    /// Question to the peer. Fails with `Errc::timeout` at the deadline; a late answer is dropped.
    virtual void request(Frames frames, Reply<Frames> reply) = 0;
    /// The next event, when there is one. At most one such call is open. Events wait, bounded.
    virtual void next_event(Reply<TransportEvent> reply) = 0;
    virtual void answer(std::uint64_t id, Frames frames, Reply<Done> reply) = 0;
    /// Sets what a ping is answered with, at once, by the transport's own thread: these frames and
    /// one more, the age of this call in nanoseconds (u64, little endian). So a hung main loop is
    /// seen as one. A request whose first frame equals `ping` is a ping.
    virtual void set_pong(std::string ping, Frames pong, Reply<Done> reply) = 0;
    virtual void mint(Reply<Minted> reply) = 0;
    /// One question to `respond` as a guest: own key is `secret`, the server's identity is pinned.
    virtual void introduce(std::string respond, std::string server_identity, std::string secret,
                           Frames frames, Reply<Frames> reply) = 0;
};

namespace detail {

/// Borrows the frames.
inline std::vector<umbra_view> to_raw(const Frames& frames) {
    std::vector<umbra_view> raw;
    raw.reserve(frames.size());
    for (const auto& frame : frames) raw.push_back({frame.data(), frame.size()});
    return raw;
}
inline Frames decode(const umbra_view* frames, std::size_t count) {
    Frames result;
    result.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        result.emplace_back(static_cast<const char*>(frames[i].ptr), frames[i].len);
    return result;
}
inline TransportSpec decode(const umbra_transport_spec& raw) {
    TransportSpec spec{
        std::string{to_view(raw.own_publish)},   std::string{to_view(raw.own_respond)},
        std::string{to_view(raw.peer_publish)},  std::string{to_view(raw.peer_respond)},
        std::string{to_view(raw.peer_identity)}, {}};
    for (std::size_t i = 0; i < raw.guest_count; ++i)
        spec.guests.emplace_back(to_view(raw.guests[i]));
    return spec;
}
inline TransportEvent decode(const umbra_transport_event& raw) {
    return {
        static_cast<TransportEvent::Type>(raw.type), raw.id,    std::string{to_view(raw.identity)},
        decode(raw.frames, raw.frame_count),         raw.count, std::string{to_view(raw.detail)}};
}

template <>
struct Encode<TransportOpened> {
    template <class F>
    static void with(const TransportOpened& o, F f) {
        const umbra_transport_opened raw{sizeof raw, to_str(o.identity), to_str(o.own_publish),
                                         to_str(o.own_respond)};
        f(&raw);
    }
};
template <>
struct Encode<Frames> {
    template <class F>
    static void with(const Frames& frames, F f) {
        const auto list = to_raw(frames);
        const umbra_frames raw{sizeof raw, list.data(), list.size()};
        f(&raw);
    }
};
template <>
struct Encode<Minted> {
    template <class F>
    static void with(const Minted& m, F f) {
        const umbra_minted raw{sizeof raw, to_str(m.identity), to_str(m.secret)};
        f(&raw);
    }
};
template <>
struct Encode<TransportEvent> {
    template <class F>
    static void with(const TransportEvent& e, F f) {
        const auto list = to_raw(e.frames);
        const umbra_transport_event raw{sizeof raw,  static_cast<std::uint32_t>(e.type),
                                        e.id,        to_str(e.identity),
                                        list.data(), list.size(),
                                        e.count,     to_str(e.detail)};
        f(&raw);
    }
};

struct TransportThunks {
    static constexpr umbra_kind kind = UMBRA_KIND_TRANSPORT;
    static Transport* of(void* self) { return static_cast<Transport*>(self); }
    static void open(void* self, const umbra_transport_spec* spec, umbra_op* op) {
        guarded(op, [&] { of(self)->open(decode(*spec), Reply<TransportOpened>{op}); });
    }
    static void reconfigure(void* self, const umbra_transport_spec* spec, umbra_op* op) {
        guarded(op, [&] { of(self)->reconfigure(decode(*spec), Reply<Done>{op}); });
    }
    static void publish(void* self, const umbra_view* frames, size_t count, umbra_op* op) {
        guarded(op, [&] { of(self)->publish(decode(frames, count), Reply<Done>{op}); });
    }
    static void request(void* self, const umbra_view* frames, size_t count, umbra_op* op) {
        guarded(op, [&] { of(self)->request(decode(frames, count), Reply<Frames>{op}); });
    }
    static void next_event(void* self, umbra_op* op) {
        guarded(op, [&] { of(self)->next_event(Reply<TransportEvent>{op}); });
    }
    static void answer(void* self, uint64_t id, const umbra_view* frames, size_t count,
                       umbra_op* op) {
        guarded(op, [&] { of(self)->answer(id, decode(frames, count), Reply<Done>{op}); });
    }
    static void set_pong(void* self, umbra_view ping, const umbra_view* frames, size_t count,
                         umbra_op* op) {
        guarded(op, [&] {
            of(self)->set_pong(std::string{static_cast<const char*>(ping.ptr), ping.len},
                               decode(frames, count), Reply<Done>{op});
        });
    }
    static void mint(void* self, umbra_op* op) {
        guarded(op, [&] { of(self)->mint(Reply<Minted>{op}); });
    }
    static void introduce(void* self, umbra_str respond, umbra_str server, umbra_str secret,
                          const umbra_view* frames, size_t count, umbra_op* op) {
        guarded(op, [&] {
            of(self)->introduce(std::string{to_view(respond)}, std::string{to_view(server)},
                                std::string{to_view(secret)}, decode(frames, count),
                                Reply<Frames>{op});
        });
    }
    static constexpr umbra_transport_api table{sizeof(umbra_transport_api),
                                               &open,
                                               &reconfigure,
                                               &publish,
                                               &request,
                                               &next_event,
                                               &answer,
                                               &set_pong,
                                               &mint,
                                               &introduce};
};
template <>
struct ThunksFor<Transport> : TransportThunks {};

}  // namespace detail
}  // namespace umbra
