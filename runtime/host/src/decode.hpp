#pragma once

#include <umbra/sdk/probe.hpp>
#include <umbra/sdk/storage.hpp>
#include <umbra/sdk/transport.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace umbra::host {

/// How the struct of the binary interface becomes the C++ result. `size` is what the plugin must
/// have written at least (0: the operation has no result); `from` is called with such a struct and
/// refuses what the rest of the host would not know how to read.
template <class T>
struct Decode;

[[nodiscard]] inline Error nonsense(const std::string& what) {
    return {Errc::internal, "the plugin answered with " + what};
}

template <class Enum>
[[nodiscard]] bool between(std::uint32_t value, Enum first, Enum last) {
    return value >= static_cast<std::uint32_t>(first) && value <= static_cast<std::uint32_t>(last);
}

[[nodiscard]] inline bool whole(const umbra_view& view) {
    return view.ptr != nullptr || view.len == 0;
}
[[nodiscard]] inline bool whole(const umbra_view* frames, std::size_t count) {
    if (frames == nullptr) return count == 0;
    for (std::size_t i = 0; i < count; ++i)
        if (!whole(frames[i])) return false;
    return true;
}

template <>
struct Decode<Done> {
    static constexpr std::size_t size = 0;
    static Result<Done> from(const void*) { return Done{}; }
};

template <>
struct Decode<TransportOpened> {
    static constexpr std::size_t size = sizeof(umbra_transport_opened);
    static Result<TransportOpened> from(const void* result) {
        const auto& raw = *static_cast<const umbra_transport_opened*>(result);
        using detail::to_view;
        return TransportOpened{std::string{to_view(raw.identity)},
                               std::string{to_view(raw.own_publish)},
                               std::string{to_view(raw.own_respond)}};
    }
};

template <>
struct Decode<Frames> {
    static constexpr std::size_t size = sizeof(umbra_frames);
    static Result<Frames> from(const void* result) {
        const auto& raw = *static_cast<const umbra_frames*>(result);
        if (!whole(raw.frames, raw.count)) return nonsense("null frames");
        return detail::decode(raw.frames, raw.count);
    }
};

template <>
struct Decode<Minted> {
    static constexpr std::size_t size = sizeof(umbra_minted);
    static Result<Minted> from(const void* result) {
        const auto& raw = *static_cast<const umbra_minted*>(result);
        return Minted{std::string{detail::to_view(raw.identity)},
                      std::string{detail::to_view(raw.secret)}};
    }
};

template <>
struct Decode<TransportEvent> {
    static constexpr std::size_t size = sizeof(umbra_transport_event);
    static Result<TransportEvent> from(const void* result) {
        const auto& raw = *static_cast<const umbra_transport_event*>(result);
        using Type = TransportEvent::Type;
        if (!between(raw.type, Type::update, Type::stranger))
            return nonsense("an unknown event type " + std::to_string(raw.type));
        if (!whole(raw.frames, raw.frame_count)) return nonsense("null frames");
        return detail::decode(raw);
    }
};

template <>
struct Decode<StorageOpened> {
    static constexpr std::size_t size = sizeof(umbra_storage_opened);
    static Result<StorageOpened> from(const void* result) {
        const auto& raw = *static_cast<const umbra_storage_opened*>(result);
        return StorageOpened{detail::decode(raw.last), detail::decode(raw.snapshot),
                             std::string{detail::to_view(raw.detail)}};
    }
};

template <>
struct Decode<std::vector<LogEntry>> {
    static constexpr std::size_t size = sizeof(umbra_entries);
    static Result<std::vector<LogEntry>> from(const void* result) {
        const auto& raw = *static_cast<const umbra_entries*>(result);
        if (raw.entries == nullptr && raw.count > 0) return nonsense("null entries");
        for (std::size_t i = 0; i < raw.count; ++i)
            if (!whole(raw.entries[i].body)) return nonsense("an entry without a body");
        return detail::decode(raw.entries, raw.count);
    }
};

template <>
struct Decode<LogEntry> {
    static constexpr std::size_t size = sizeof(umbra_snapshot);
    static Result<LogEntry> from(const void* result) {
        const auto& raw = *static_cast<const umbra_snapshot*>(result);
        if (!whole(raw.snapshot.body)) return nonsense("a snapshot without a body");
        return detail::decode(raw.snapshot);
    }
};

template <>
struct Decode<ProbeResult> {
    static constexpr std::size_t size = sizeof(umbra_probe_result);
    static Result<ProbeResult> from(const void* result) {
        const auto& raw = *static_cast<const umbra_probe_result*>(result);
        if (!between(raw.health, Health::healthy, Health::down))
            return nonsense("an unknown health " + std::to_string(raw.health));
        return detail::decode(raw);
    }
};

[[nodiscard]] inline bool whole(const umbra_register_view& view) {
    return view.in_sync != nullptr || view.in_sync_count == 0;
}

template <>
struct Decode<ClaimResult> {
    static constexpr std::size_t size = sizeof(umbra_claim_result);
    static Result<ClaimResult> from(const void* result) {
        const auto& raw = *static_cast<const umbra_claim_result*>(result);
        if (!whole(raw.reg)) return nonsense("null members");
        return detail::decode(raw);
    }
};

template <>
struct Decode<TunnelEvent> {
    static constexpr std::size_t size = sizeof(umbra_tunnel_event);
    static Result<TunnelEvent> from(const void* result) {
        const auto& raw = *static_cast<const umbra_tunnel_event*>(result);
        using Type = TunnelEvent::Type;
        if (!between(raw.type, Type::state, Type::denied))
            return nonsense("an unknown event type " + std::to_string(raw.type));
        if (!between(raw.state, TunnelState::down, TunnelState::refused))
            return nonsense("an unknown tunnel state " + std::to_string(raw.state));
        if (!whole(raw.reg)) return nonsense("null members");
        if (raw.unheard_ns < 0) return nonsense("a sign of life in the future");
        return detail::decode(raw);
    }
};

template <>
struct Decode<std::vector<TunnelCheck>> {
    static constexpr std::size_t size = sizeof(umbra_check_report);
    static Result<std::vector<TunnelCheck>> from(const void* result) {
        const auto& raw = *static_cast<const umbra_check_report*>(result);
        if (raw.checks == nullptr && raw.check_count > 0) return nonsense("null checks");
        if (raw.check_count > 0 && raw.checks->struct_size < sizeof(std::uint32_t))
            return nonsense("checks without a size");
        auto checks = detail::decode(raw);
        for (const TunnelCheck& check : checks) {
            using Kind = TunnelCheck::Kind;
            using Outcome = TunnelCheck::Outcome;
            if (!between(static_cast<std::uint32_t>(check.kind), Kind::mapping, Kind::channel) ||
                !between(static_cast<std::uint32_t>(check.outcome), Outcome::ok, Outcome::skipped))
                return nonsense("a check of an unknown kind or outcome");
        }
        return checks;
    }
};

}  // namespace umbra::host
