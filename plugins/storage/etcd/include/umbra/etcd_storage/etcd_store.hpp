#pragma once

#include <umbra/etcd/client.hpp>
#include <umbra/etcd_storage/layout.hpp>
#include <umbra/storage_queue/checks.hpp>
#include <umbra/storage_queue/directory_lock.hpp>
#include <umbra/storage_queue/mark.hpp>
#include <umbra/storage_queue/queued_storage.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbra::etcd_storage {

using etcd::Client;
using etcd::ClientSettings;
using etcd::Found;
using etcd::KeyValue;
using etcd::Transaction;

/// Of one transaction; etcd's own limits are 1.5 MiB and 128 as a default.
inline constexpr std::size_t transaction_bytes_max = std::size_t{1} << 20;
inline constexpr std::size_t transaction_operations_max = 120;
/// Keys asked for at once: as many as fit into an answer however long they are, and at most.
inline constexpr std::size_t page_min = 16;
inline constexpr std::size_t page_max = 1024;

struct Settings {
    ClientSettings client;
    std::string prefix;     ///< Ends with a slash.
    std::string directory;  ///< Exists: the identity of this writer, and its mark.
    std::string instance;   ///< Name, for people.
    bool adopt = false;     ///< Take the prefix over from another owner.
};

/// The log below a prefix of an etcd cluster.
///
/// One key, the head, says what of the rest counts. Every transaction compares the revision at
/// which the head was last changed with the one that this store gave it, so none of another
/// writer's is in between; what is too large for one transaction is written first, and counts with
/// the head.
///
/// Errors beside those of `Client`: `conflict` when another instance owns the prefix, or has taken
/// it over. `timeout`, a prefix that was taken over, and damage that was met while it was open, are
/// final: every later call answers the same.
///
/// Threads: one at a time, but for `interrupt()`.
class EtcdStore final : public storage_queue::Backend {
public:
    explicit EtcdStore(Settings settings);

    Result<StorageOpened> open() override;
    Result<Done> close() override;
    Result<Done> stage(const std::vector<LogEntry>& entries) override;
    Result<Done> commit() override;
    void drop_stage() override { staged_.clear(); }
    [[nodiscard]] std::size_t batch_bytes_max() const override { return transaction_bytes_max; }
    Result<std::vector<LogEntry>> read(std::uint64_t from_seq, std::size_t max) override;
    Result<LogEntry> read_snapshot() override;
    Result<Done> truncate(std::uint64_t seq) override;
    Result<Done> install(const LogEntry& snapshot) override;
    Result<Done> compact(const LogEntry& snapshot) override;
    void interrupt() noexcept override { client_.interrupt(); }

private:
    [[nodiscard]] Result<Done> ready() const;
    [[nodiscard]] storage_queue::Extent extent() const { return {head_.snapshot, head_.last}; }
    [[nodiscard]] const LogPosition& staged_last() const;
    [[nodiscard]] std::string place() const;

    Result<std::string> recover();
    /// Makes this store the one that writes. @return What to tell; `canceled` when the head changed
    /// meanwhile.
    Result<std::string> take(const std::string& owner, std::uint64_t durable);
    /// Leaves `head_` as it is to be written, ours. @return What to tell.
    Result<std::string> claim(const std::optional<KeyValue>& found);
    Result<std::vector<LogEntry>> fetch(std::uint64_t first, std::uint64_t last);
    /// Calls `take` for each pair of the range, in order, until it fails.
    template <class Take>
    Result<Done> each(std::string key, const std::string& end, Take take);

    [[nodiscard]] Transaction transaction() const { return {keys_.head(), revision_}; }
    /// Adds a pair; what is full is sent.
    Result<Done> put(Transaction& open, const std::string& key, const std::string& value);
    /// Sends the last transaction of a change, with the new head.
    Result<Done> finish(Transaction& last, Head next);
    Result<Done> put_snapshot(Transaction& open, const LogEntry& snapshot, Head& next);
    /// Removes what does not count.
    void sweep(Transaction& open) const;
    Result<Done> sweep_if_needed();
    /// The error of a change; notes what follows from it.
    Error fail(Error error);
    Error damaged(Error error);
    Error taken_over(const Found& found) const;

    Settings settings_;
    Keys keys_;
    Client client_;
    storage_queue::DirectoryLock lock_;
    storage_queue::Mark mark_;
    Head head_;
    std::uint64_t revision_ = 0;  ///< At which `head_` was written; 0: it is not there.
    std::vector<LogEntry> staged_;
    std::optional<Error> lost_;
    bool open_ = false;
    bool swept_ = true;  ///< Nothing is there that does not count.
};

}  // namespace umbra::etcd_storage
