#pragma once

#include <umbra/sdk/plugin.hpp>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace umbra {

/// One node with one data directory: a fresh disk is another incarnation of the same node.
struct Member {
    std::string node;
    std::string incarnation;

    auto operator<=>(const Member&) const = default;
};

/// The register at the gateway as far as a node may see it.
struct RegisterView {
    bool known = false;       ///< False: never heard from the gateway; the rest is meaningless.
    std::uint64_t epoch = 0;  ///< 0 = never granted.
    std::string holder;
    bool holder_alive = false;
    std::uint64_t in_sync_seq = 0;
    std::vector<Member> in_sync;
    Duration holder_heard{};  ///< Age of the holder's last sign of life as the gateway sees it.
    /// Names the store of a register that several gateways share: views with the same name are of
    /// one register. Empty: it is this gateway's alone.
    std::string store{};

    bool operator==(const RegisterView&) const = default;
};

enum class ClaimReason : std::uint32_t {
    first = UMBRA_CLAIM_FIRST,  ///< Nobody ever held it, or this node did and restarted.
    peer_refused = UMBRA_CLAIM_PEER_REFUSED,  ///< The master's host refuses connections.
    peer_silent = UMBRA_CLAIM_PEER_SILENT,    ///< The takeover delay passed.
    handover = UMBRA_CLAIM_HANDOVER,          ///< The holder consented.
    forced = UMBRA_CLAIM_FORCED,              ///< An operator ordered it.
    /// The register of record, at another gateway, granted this epoch.
    follow = UMBRA_CLAIM_FOLLOW,
};

struct ClaimResult {
    bool granted = false;
    RegisterView reg;
    std::string detail;  ///< Why not: "holder alpha was heard 38 ms ago".
};

/// One of the internal systems that a mapping leads to.
struct Backend {
    std::string host;
    std::uint16_t port = 0;
    bool down = false;  ///< Its probe says so: passed over while another one is not.

    bool operator==(const Backend&) const = default;
};

/// What a mapping of protocol "http" or "http+tls" permits; what none permits is denied.
struct Resource {
    std::string name;
    std::string path;                  ///< Compared as it is, without the query.
    bool sub_paths = false;            ///< Also what is below it, by whole segments.
    std::vector<std::string> methods;  ///< Empty: any but CONNECT and TRACE.
    bool upgrade = false;              ///< May be taken over, for example by WebSocket.
    bool active = true;

    bool operator==(const Resource&) const = default;
};

/// How a backend is verified, for the protocols with "+tls".
struct BackendTls {
    std::string server_name;  ///< Empty: the backend's host.
    std::string ca_file;      ///< Empty: the system's.
    std::string pin;          ///< "sha256:…": instead of CA and name.

    bool operator==(const BackendTls&) const = default;
};

struct Mapping {
    std::string name;
    std::string virtual_host;  ///< Lower case.
    std::uint16_t virtual_port = 0, virtual_port_last = 0;
    std::string internal_host;
    std::uint16_t internal_port = 0;
    std::string protocol;  ///< "tcp" | "tcp+tls" | "http" | "http+tls"
    bool active = true;
    std::vector<Backend> backends{};  ///< The first is `internal_*`; empty: only that one.
    BackendTls tls{};
    bool proxy_v2 = false;      ///< PROXY protocol v2 towards the backend.
    bool rewrite_host = false;  ///< http: the backend gets its own name as Host.
    std::vector<Resource> resources{};

    bool operator==(const Mapping&) const = default;
};

struct Channel {
    std::string name, listen, target;

    bool operator==(const Channel&) const = default;
};

struct TunnelSpec {
    std::string node;         ///< Name of this instance.
    std::string incarnation;  ///< Changes with the data directory.
    std::uint64_t epoch = 0;  ///< Highest epoch this node has stored.
    std::vector<Mapping> mappings;
    std::vector<Channel> channels;

    bool operator==(const TunnelSpec&) const = default;
};

enum class TunnelState : std::uint32_t {
    down = UMBRA_TUNNEL_DOWN,
    connecting = UMBRA_TUNNEL_CONNECTING,
    standby = UMBRA_TUNNEL_STANDBY,
    active = UMBRA_TUNNEL_ACTIVE,
    draining = UMBRA_TUNNEL_DRAINING,
    refused = UMBRA_TUNNEL_REFUSED,
};

struct TunnelEvent {
    enum class Type : std::uint32_t {
        state = UMBRA_TUNNEL_EVENT_STATE,
        reg = UMBRA_TUNNEL_EVENT_REGISTER,
        holder_lost = UMBRA_TUNNEL_EVENT_HOLDER_LOST,
        fenced = UMBRA_TUNNEL_EVENT_FENCED,
        denied = UMBRA_TUNNEL_EVENT_DENIED,
    };
    Type type = Type::state;
    TunnelState state = TunnelState::down;  ///< In every event.
    std::uint32_t links = 0, streams = 0;
    std::uint64_t count = 0;  ///< denied: since the last such event.
    RegisterView reg;
    std::string detail;
    Duration unheard{};  ///< While no link is up: age of the far end's last sign of life.
};

/// What came of one try to reach something that a tunnel leads to.
struct TunnelCheck {
    enum class Kind : std::uint32_t {
        mapping = UMBRA_CHECK_MAPPING,  ///< A backend, tried from this node.
        channel = UMBRA_CHECK_CHANNEL,  ///< A target at the far end, tried through the tunnel.
    };
    enum class Outcome : std::uint32_t {
        ok = UMBRA_CHECK_OK,
        failed = UMBRA_CHECK_FAILED,
        skipped = UMBRA_CHECK_SKIPPED,  ///< Not tried; the detail says why.
    };
    Kind kind = Kind::mapping;
    std::string name;    ///< Of the mapping or channel.
    std::string target;  ///< "127.0.0.1:8000"
    Outcome outcome = Outcome::failed;
    Duration latency{};
    std::string detail{};  ///< One sentence; empty when there is nothing to say.

    bool operator==(const TunnelCheck&) const = default;
};

/// Tunnel provider: keeps links to a far end and carries streams while this node is the holder.
/// Bulk data never crosses this border.
class TunnelProvider : public Plugin {
public:
    using Kind = TunnelProvider;

    /// Begins to dial and keeps at it; answers at once. Progress comes as events.
    virtual void open(TunnelSpec spec, Reply<Done> reply) = 0;
    /// Asks the far end for `epoch`. A refusal is a result.
    virtual void claim(std::uint64_t epoch, ClaimReason reason, Reply<ClaimResult> reply) = 0;
    /// Serves under a granted epoch; answers when the far end routes to this node.
    virtual void activate(std::uint64_t epoch, Reply<Done> reply) = 0;
    virtual void configure(TunnelSpec spec, Reply<Done> reply) = 0;
    /// Holder only. An empty successor means: anyone in sync.
    virtual void consent(std::uint64_t, std::string /*successor*/, Reply<Done> reply) {
        reply.fail(Errc::unsupported, "this provider has no register");
    }
    /// Takes no new streams, lets open ones live for `grace` (0: cuts them at once), then goes back
    /// to standby. Answers when no stream is left.
    virtual void drain(Duration grace, Reply<Done> reply) = 0;
    virtual void next_event(Reply<TunnelEvent> reply) = 0;
    virtual void set_in_sync(std::uint64_t /*epoch*/, std::uint64_t /*seq*/, std::vector<Member>,
                             Reply<Done> reply) {
        reply.fail(Errc::unsupported, "this provider has no register");
    }
    virtual void enrol(std::string /*invitation*/, Reply<Done> reply) {
        reply.fail(Errc::unsupported, "this provider knows no invitations");
    }
    /// Tries every backend of every mapping and, while active, every channel, from this node; also
    /// in standby. What cannot be reached is a result.
    virtual void check(Reply<std::vector<TunnelCheck>> reply) {
        reply.fail(Errc::unsupported, "this provider cannot try what it leads to");
    }
    /// Replaces this node's own key at the far end; answers when the new one is in use. Streams
    /// that are open stay. What was begun goes on after a failure or a restart.
    virtual void rotate_key(Reply<Done> reply) {
        reply.fail(Errc::unsupported, "this provider has no key that it could change");
    }
};

namespace detail {

inline std::vector<Member> decode(const umbra_member* members, std::size_t count) {
    std::vector<Member> list;
    for (std::size_t i = 0; i < count; ++i)
        list.push_back(
            {std::string{to_view(members[i].node)}, std::string{to_view(members[i].incarnation)}});
    return list;
}
/// Borrows the members.
inline std::vector<umbra_member> to_raw(const std::vector<Member>& members) {
    std::vector<umbra_member> list;
    list.reserve(members.size());
    for (const auto& m : members) list.push_back({to_str(m.node), to_str(m.incarnation)});
    return list;
}
inline RegisterView decode(const umbra_register_view& raw) {
    return {raw.known != 0,
            raw.epoch,
            std::string{to_view(raw.holder)},
            raw.holder_alive != 0,
            raw.in_sync_seq,
            decode(raw.in_sync, raw.in_sync_count),
            Duration{raw.holder_heard_ns},
            std::string{to_view(raw.store)}};
}
/// Borrows the view and `members`.
inline umbra_register_view to_raw(const RegisterView& view,
                                  const std::vector<umbra_member>& members) {
    return {sizeof(umbra_register_view), view.known ? 1u : 0u, view.epoch,     to_str(view.holder),
            view.holder_alive ? 1u : 0u, view.in_sync_seq,     members.data(), members.size(),
            view.holder_heard.count(),   to_str(view.store)};
}
inline ClaimResult decode(const umbra_claim_result& raw) {
    return {raw.granted != 0, decode(raw.reg), std::string{to_view(raw.detail)}};
}
inline TunnelEvent decode(const umbra_tunnel_event& raw) {
    return {static_cast<TunnelEvent::Type>(raw.type),
            static_cast<TunnelState>(raw.state),
            raw.links,
            raw.streams,
            raw.count,
            decode(raw.reg),
            std::string{to_view(raw.detail)},
            Duration{raw.unheard_ns}};
}
/// Element `i` of an array whose writer may have known a shorter or a longer struct: it is walked
/// by the size of its first element, and what the writer did not know is zero.
template <class T>
T element(const T* array, std::size_t i) {
    const std::size_t stride = array->struct_size;
    T out{};
    std::memcpy(&out, reinterpret_cast<const unsigned char*>(array) + i * stride,
                std::min(stride, sizeof(T)));
    return out;
}
inline Resource decode(const umbra_resource& raw) {
    Resource resource{std::string{to_view(raw.name)},
                      std::string{to_view(raw.path)},
                      raw.sub_paths != 0,
                      {},
                      raw.upgrade != 0,
                      raw.active != 0};
    for (std::size_t i = 0; i < raw.method_count; ++i)
        resource.methods.emplace_back(to_view(raw.methods[i]));
    return resource;
}
inline Mapping decode(const umbra_mapping& raw) {
    Mapping mapping{std::string{to_view(raw.name)},
                    std::string{to_view(raw.virtual_host)},
                    raw.virtual_port,
                    raw.virtual_port_last,
                    std::string{to_view(raw.internal_host)},
                    raw.internal_port,
                    std::string{to_view(raw.protocol)},
                    raw.active != 0};
    for (std::size_t i = 0; i < raw.backend_count; ++i) {
        const umbra_backend backend = element(raw.backends, i);
        mapping.backends.push_back(
            {std::string{to_view(backend.host)}, backend.port, backend.down != 0});
    }
    mapping.tls = {std::string{to_view(raw.tls_server_name)}, std::string{to_view(raw.tls_ca_file)},
                   std::string{to_view(raw.tls_pin)}};
    mapping.proxy_v2 = raw.proxy_v2 != 0;
    mapping.rewrite_host = raw.rewrite_host != 0;
    for (std::size_t i = 0; i < raw.resource_count; ++i)
        mapping.resources.push_back(decode(element(raw.resources, i)));
    return mapping;
}
inline TunnelSpec decode(const umbra_tunnel_spec& raw) {
    TunnelSpec spec{
        std::string{to_view(raw.node)}, std::string{to_view(raw.incarnation)}, raw.epoch, {}, {}};
    for (std::size_t i = 0; i < raw.mapping_count; ++i)
        spec.mappings.push_back(decode(element(raw.mappings, i)));
    for (std::size_t i = 0; i < raw.channel_count; ++i) {
        const auto& c = raw.channels[i];
        spec.channels.push_back({std::string{to_view(c.name)}, std::string{to_view(c.listen)},
                                 std::string{to_view(c.target)}});
    }
    return spec;
}

inline std::vector<TunnelCheck> decode(const umbra_check_report& raw) {
    std::vector<TunnelCheck> list;
    for (std::size_t i = 0; i < raw.check_count; ++i) {
        const umbra_tunnel_check check = element(raw.checks, i);
        list.push_back({static_cast<TunnelCheck::Kind>(check.kind),
                        std::string{to_view(check.name)}, std::string{to_view(check.target)},
                        static_cast<TunnelCheck::Outcome>(check.outcome),
                        Duration{check.latency_ns}, std::string{to_view(check.detail)}});
    }
    return list;
}

template <>
struct Encode<std::vector<TunnelCheck>> {
    template <class F>
    static void with(const std::vector<TunnelCheck>& checks, F f) {
        std::vector<umbra_tunnel_check> list;
        list.reserve(checks.size());
        for (const auto& c : checks)
            list.push_back({sizeof(umbra_tunnel_check), static_cast<std::uint32_t>(c.kind),
                            to_str(c.name), to_str(c.target), static_cast<std::uint32_t>(c.outcome),
                            c.latency.count(), to_str(c.detail)});
        const umbra_check_report raw{sizeof raw, list.data(), list.size()};
        f(&raw);
    }
};
template <>
struct Encode<ClaimResult> {
    template <class F>
    static void with(const ClaimResult& r, F f) {
        const auto members = to_raw(r.reg.in_sync);
        const umbra_claim_result raw{sizeof raw, r.granted ? 1u : 0u, to_raw(r.reg, members),
                                     to_str(r.detail)};
        f(&raw);
    }
};
template <>
struct Encode<TunnelEvent> {
    template <class F>
    static void with(const TunnelEvent& e, F f) {
        const auto members = to_raw(e.reg.in_sync);
        const umbra_tunnel_event raw{sizeof raw,
                                     static_cast<std::uint32_t>(e.type),
                                     static_cast<std::uint32_t>(e.state),
                                     e.links,
                                     e.streams,
                                     e.count,
                                     to_raw(e.reg, members),
                                     to_str(e.detail),
                                     e.unheard.count()};
        f(&raw);
    }
};

struct TunnelThunks {
    static constexpr umbra_kind kind = UMBRA_KIND_TUNNEL;
    static TunnelProvider* of(void* self) { return static_cast<TunnelProvider*>(self); }
    static void open(void* self, const umbra_tunnel_spec* spec, umbra_op* op) {
        guarded(op, [&] { of(self)->open(decode(*spec), Reply<Done>{op}); });
    }
    static void claim(void* self, uint64_t epoch, uint32_t reason, umbra_op* op) {
        guarded(op, [&] {
            of(self)->claim(epoch, static_cast<ClaimReason>(reason), Reply<ClaimResult>{op});
        });
    }
    static void activate(void* self, uint64_t epoch, umbra_op* op) {
        guarded(op, [&] { of(self)->activate(epoch, Reply<Done>{op}); });
    }
    static void configure(void* self, const umbra_tunnel_spec* spec, umbra_op* op) {
        guarded(op, [&] { of(self)->configure(decode(*spec), Reply<Done>{op}); });
    }
    static void consent(void* self, uint64_t epoch, umbra_str successor, umbra_op* op) {
        guarded(op, [&] {
            of(self)->consent(epoch, std::string{to_view(successor)}, Reply<Done>{op});
        });
    }
    static void drain(void* self, int64_t grace_ns, umbra_op* op) {
        guarded(op, [&] { of(self)->drain(Duration{grace_ns}, Reply<Done>{op}); });
    }
    static void next_event(void* self, umbra_op* op) {
        guarded(op, [&] { of(self)->next_event(Reply<TunnelEvent>{op}); });
    }
    static void set_in_sync(void* self, uint64_t epoch, uint64_t seq, const umbra_member* members,
                            size_t count, umbra_op* op) {
        guarded(op, [&] {
            of(self)->set_in_sync(epoch, seq, decode(members, count), Reply<Done>{op});
        });
    }
    static void enrol(void* self, umbra_str invitation, umbra_op* op) {
        guarded(op, [&] { of(self)->enrol(std::string{to_view(invitation)}, Reply<Done>{op}); });
    }
    static void check(void* self, umbra_op* op) {
        guarded(op, [&] { of(self)->check(Reply<std::vector<TunnelCheck>>{op}); });
    }
    static void rotate_key(void* self, umbra_op* op) {
        guarded(op, [&] { of(self)->rotate_key(Reply<Done>{op}); });
    }
    static constexpr umbra_tunnel_api table{sizeof(umbra_tunnel_api),
                                            &open,
                                            &claim,
                                            &activate,
                                            &configure,
                                            &consent,
                                            &drain,
                                            &next_event,
                                            &set_in_sync,
                                            &enrol,
                                            &check,
                                            &rotate_key};
};
template <>
struct ThunksFor<TunnelProvider> : TunnelThunks {};

}  // namespace detail
}  // namespace umbra
