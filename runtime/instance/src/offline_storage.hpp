#pragma once

#include "loop.hpp"
#include <umbra/config/options.hpp>
#include <umbra/host/handles.hpp>
#include <umbra/host/registry.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/storage.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbra::instance {

/// All that a storage holds. Bodies are opaque, but for the chain of the entries.
struct StoredLog {
    std::optional<LogEntry> snapshot;
    std::vector<LogEntry> entries;

    [[nodiscard]] LogPosition last() const;
    [[nodiscard]] bool empty() const { return !snapshot && entries.empty(); }
    /// "12 entries and a snapshot, up to revision 3.41"
    [[nodiscard]] std::string describe() const;

    bool operator==(const StoredLog&) const = default;
};

/// Whether each entry follows the one before it, by sequence, epoch and hash. `data_loss` names the
/// first that does not.
[[nodiscard]] Result<Done> check_chain(const StoredLog& log);

/// A loop for work that goes step by step, which a signal ends between two steps.
class OfflineLoop {
public:
    OfflineLoop();

    /// Runs until the operation that `start` begins is complete, or a signal came: `canceled`.
    template <class T, class Start>
    [[nodiscard]] Result<T> await(Start start) {
        // The answer may come after the wait was given up.
        const auto answer = std::make_shared<std::optional<Result<T>>>();
        start([answer](Result<T> result) { answer->emplace(std::move(result)); });
        loop_.run_until([&] { return answer->has_value() || interrupted_; });
        if (!answer->has_value()) return Error{Errc::canceled, "interrupted by a signal"};
        return **answer;
    }
    /// Not to be interrupted.
    void finish(const std::function<void(std::function<void()> done)>& start);
    [[nodiscard]] host::Surroundings surroundings();

private:
    Loop loop_;
    bool interrupted_ = false;
};

/// A storage plugin at work without an instance. Closed in the destructor.
///
/// Threads: none; one owner. Errors are those of the plugin, with its label.
class OfflineStorage {
public:
    struct Place {
        std::string instance, plugin;
        config::OptionValues options;
        std::filesystem::path state_dir;
    };
    /// @param loop, registry  Outlive the storage.
    [[nodiscard]] static Result<std::unique_ptr<OfflineStorage>> open(
        OfflineLoop& loop, const host::Registry& registry, const Place& place);
    ~OfflineStorage();
    OfflineStorage(const OfflineStorage&) = delete;
    OfflineStorage& operator=(const OfflineStorage&) = delete;

    /// What was there when it was opened.
    [[nodiscard]] const StorageOpened& found() const { return found_; }
    [[nodiscard]] bool was_empty() const { return found_.last.seq == 0; }
    /// Everything, with its chain checked.
    [[nodiscard]] Result<StoredLog> read();
    /// Whatever is there goes, then `log` is written, in batches.
    [[nodiscard]] Result<Done> replace_by(const StoredLog& log);

private:
    explicit OfflineStorage(OfflineLoop& loop) : loop_(loop) {}
    [[nodiscard]] Result<Done> clear_for(const StoredLog& log);

    OfflineLoop& loop_;
    std::unique_ptr<host::StorageHandle> handle_;
    StorageOpened found_;
};

/// Opens a storage, which may hold anything, writes `log`, closes it, opens it again, reads it and
/// compares. `data_loss` when it gives back something else.
[[nodiscard]] Result<Done> write_verified(OfflineLoop& loop, const host::Registry& registry,
                                          const OfflineStorage::Place& place, const StoredLog& log);

}  // namespace umbra::instance
