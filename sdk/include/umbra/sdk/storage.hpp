#pragma once

#include <umbra/sdk/plugin.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace umbra {

/// Place of an entry in the log. Sequence 0 is before the first entry.
struct LogPosition {
    std::uint64_t seq = 0;
    std::uint64_t epoch = 0;
    std::array<std::byte, 32> hash{};

    bool operator==(const LogPosition&) const = default;
};

/// One entry, or a snapshot of everything up to its position. The body is opaque to a storage.
struct LogEntry {
    LogPosition position;
    std::string body;

    bool operator==(const LogEntry&) const = default;
};

struct StorageOpened {
    LogPosition last;
    LogPosition snapshot;
    std::string detail;  ///< What was repaired, for the log; empty = nothing.
};

/// Config storage: a durable, append-only log with a snapshot. Operations of one instance are
/// carried out, and completed, in the order of the calls. Durable means: survives kill -9 and power
/// loss from the moment the reply is given. After an fsync error answer `Errc::data_loss` for ever.
class ConfigStorage : public Plugin {
public:
    using Kind = ConfigStorage;

    /// First call. Recovers a torn tail; damage before the tail is `Errc::data_loss` naming the
    /// place.
    virtual void open(Reply<StorageOpened> reply) = 0;
    /// @pre consecutive; the first follows the last stored one, else `Errc::conflict`.
    virtual void append(std::vector<LogEntry> entries, Reply<Done> reply) = 0;
    /// Entries from `from_seq` on, at most `max`.
    virtual void read(std::uint64_t from_seq, std::size_t max,
                      Reply<std::vector<LogEntry>> reply) = 0;
    /// Position.seq 0 when there is none.
    virtual void read_snapshot(Reply<LogEntry> reply) = 0;
    /// Cuts every entry after `seq`. Cutting into the snapshot is `Errc::conflict`.
    virtual void truncate(std::uint64_t seq, Reply<Done> reply) = 0;
    /// Replaces everything by this snapshot, atomically.
    virtual void install(LogEntry snapshot, Reply<Done> reply) = 0;
    /// Keeps `snapshot` and the entries after it.
    virtual void compact(LogEntry snapshot, Reply<Done> reply) = 0;
};

namespace detail {

inline umbra_position to_raw(const LogPosition& p) {
    umbra_position raw{p.seq, p.epoch, {}};
    std::memcpy(raw.hash, p.hash.data(), sizeof raw.hash);
    return raw;
}
inline LogPosition decode(const umbra_position& raw) {
    LogPosition p{raw.seq, raw.epoch, {}};
    std::memcpy(p.hash.data(), raw.hash, sizeof raw.hash);
    return p;
}
/// Borrows the entry's body.
inline umbra_entry to_raw(const LogEntry& e) {
    return {to_raw(e.position), {e.body.data(), e.body.size()}};
}
inline LogEntry decode(const umbra_entry& raw) {
    return {decode(raw.position),
            std::string{static_cast<const char*>(raw.body.ptr), raw.body.len}};
}
inline std::vector<LogEntry> decode(const umbra_entry* entries, std::size_t count) {
    std::vector<LogEntry> list;
    list.reserve(count);
    for (std::size_t i = 0; i < count; ++i) list.push_back(decode(entries[i]));
    return list;
}

template <>
struct Encode<StorageOpened> {
    template <class F>
    static void with(const StorageOpened& o, F f) {
        const umbra_storage_opened raw{sizeof raw, to_raw(o.last), to_raw(o.snapshot),
                                       to_str(o.detail)};
        f(&raw);
    }
};
template <>
struct Encode<std::vector<LogEntry>> {
    template <class F>
    static void with(const std::vector<LogEntry>& list, F f) {
        std::vector<umbra_entry> raw_list;
        raw_list.reserve(list.size());
        for (const auto& entry : list) raw_list.push_back(to_raw(entry));
        const umbra_entries raw{sizeof raw, raw_list.data(), raw_list.size()};
        f(&raw);
    }
};
template <>
struct Encode<LogEntry> {
    template <class F>
    static void with(const LogEntry& entry, F f) {
        const umbra_snapshot raw{sizeof raw, to_raw(entry)};
        f(&raw);
    }
};

struct StorageThunks {
    static constexpr umbra_kind kind = UMBRA_KIND_STORAGE;
    static ConfigStorage* of(void* self) { return static_cast<ConfigStorage*>(self); }
    static void open(void* self, umbra_op* op) {
        guarded(op, [&] { of(self)->open(Reply<StorageOpened>{op}); });
    }
    static void append(void* self, const umbra_entry* entries, size_t count, umbra_op* op) {
        guarded(op, [&] {
            Reply<Done> reply{op};
            of(self)->append(decode(entries, count), std::move(reply));
        });
    }
    static void read(void* self, uint64_t from_seq, size_t max, umbra_op* op) {
        guarded(op, [&] { of(self)->read(from_seq, max, Reply<std::vector<LogEntry>>{op}); });
    }
    static void read_snapshot(void* self, umbra_op* op) {
        guarded(op, [&] { of(self)->read_snapshot(Reply<LogEntry>{op}); });
    }
    static void truncate(void* self, uint64_t seq, umbra_op* op) {
        guarded(op, [&] { of(self)->truncate(seq, Reply<Done>{op}); });
    }
    static void install(void* self, const umbra_entry* snapshot, umbra_op* op) {
        guarded(op, [&] {
            Reply<Done> reply{op};
            of(self)->install(decode(*snapshot), std::move(reply));
        });
    }
    static void compact(void* self, const umbra_entry* snapshot, umbra_op* op) {
        guarded(op, [&] {
            Reply<Done> reply{op};
            of(self)->compact(decode(*snapshot), std::move(reply));
        });
    }
    static constexpr umbra_storage_api table{sizeof(umbra_storage_api),
                                             &open,
                                             &append,
                                             &read,
                                             &read_snapshot,
                                             &truncate,
                                             &install,
                                             &compact};
};
template <>
struct ThunksFor<ConfigStorage> : StorageThunks {};

}  // namespace detail
}  // namespace umbra
