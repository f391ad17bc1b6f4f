#pragma once

#include "integration/plugin/driver.hpp"
#include <umbra/sdk/storage.hpp>

#include <optional>
#include <string>
#include <vector>

namespace umbra::plugin_test {

/// A storage plugin through its binary interface. Every call returns at once; `get()` waits.
class StorageDriver {
public:
    StorageDriver(const PluginFile& file, const std::string& state_dir,
                  const OptionValues& values = {})
        : api_(*static_cast<const umbra_storage_api*>(file.plugin().api)),
          instance_(file, state_dir, values) {}

    [[nodiscard]] Pending<StorageOpened> open() {
        Pending<StorageOpened> pending{[](const void* result) {
            const auto& raw = *static_cast<const umbra_storage_opened*>(result);
            return StorageOpened{detail::decode(raw.last), detail::decode(raw.snapshot),
                                 std::string{detail::to_view(raw.detail)}};
        }};
        api_.open(self(), pending.op());
        return pending;
    }
    [[nodiscard]] Pending<Done> append(
        const std::vector<LogEntry>& entries,
        std::function<void(const Result<Done>&)> on_answer = nullptr) {
        auto pending = done();
        pending.on_answer(std::move(on_answer));
        std::vector<umbra_entry> raw;
        for (const auto& entry : entries) raw.push_back(detail::to_raw(entry));
        api_.append(self(), raw.data(), raw.size(), pending.op());
        return pending;
    }
    [[nodiscard]] Pending<std::vector<LogEntry>> read(std::uint64_t from_seq, std::size_t max) {
        Pending<std::vector<LogEntry>> pending{[](const void* result) {
            const auto& raw = *static_cast<const umbra_entries*>(result);
            return detail::decode(raw.entries, raw.count);
        }};
        api_.read(self(), from_seq, max, pending.op());
        return pending;
    }
    [[nodiscard]] Pending<LogEntry> read_snapshot() {
        Pending<LogEntry> pending{[](const void* result) {
            return detail::decode(static_cast<const umbra_snapshot*>(result)->snapshot);
        }};
        api_.read_snapshot(self(), pending.op());
        return pending;
    }
    [[nodiscard]] Pending<Done> truncate(std::uint64_t seq) {
        auto pending = done();
        api_.truncate(self(), seq, pending.op());
        return pending;
    }
    [[nodiscard]] Pending<Done> install(const LogEntry& snapshot) {
        auto pending = done();
        const auto raw = detail::to_raw(snapshot);
        api_.install(self(), &raw, pending.op());
        return pending;
    }
    [[nodiscard]] Pending<Done> compact(const LogEntry& snapshot) {
        auto pending = done();
        const auto raw = detail::to_raw(snapshot);
        api_.compact(self(), &raw, pending.op());
        return pending;
    }
    [[nodiscard]] Pending<Done> stop() { return instance_.stop(); }

private:
    static Pending<Done> done() {
        return Pending<Done>{[](const void*) { return Done{}; }};
    }
    [[nodiscard]] void* self() const { return instance_.self(); }

    const umbra_storage_api& api_;
    PluginInstance instance_;
};

/// The position that the tests give to entry `seq`.
inline LogPosition position_of(std::uint64_t seq, std::uint64_t epoch = 1) {
    LogPosition position{seq, epoch, {}};
    for (std::size_t i = 0; i < position.hash.size(); ++i)
        position.hash[i] = static_cast<std::byte>((seq * 31 + epoch * 7 + i) & 0xffu);
    return position;
}
inline LogEntry entry_of(std::uint64_t seq, std::string body, std::uint64_t epoch = 1) {
    return {position_of(seq, epoch), std::move(body)};
}
/// Bodies of varied lengths that depend on `seq` alone.
inline LogEntry entry_of(std::uint64_t seq) {
    return entry_of(seq, "edit " + std::to_string(seq) + " " +
                             std::string((seq * 7919) % 600, static_cast<char>('a' + seq % 26)));
}
inline std::vector<LogEntry> entries_of(std::uint64_t first, std::uint64_t last) {
    std::vector<LogEntry> entries;
    for (auto seq = first; seq <= last; ++seq) entries.push_back(entry_of(seq));
    return entries;
}

}  // namespace umbra::plugin_test
