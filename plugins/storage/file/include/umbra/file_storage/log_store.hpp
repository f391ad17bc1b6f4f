#pragma once

#include <umbra/file_storage/disk.hpp>
#include <umbra/file_storage/scan.hpp>
#include <umbra/storage_queue/checks.hpp>
#include <umbra/storage_queue/queued_storage.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::file_storage {

inline constexpr const char* log_name = "config.log";
/// Written aside and renamed over `log_name`; one that is found at the start was never in use.
inline constexpr const char* fresh_name = "config.log.new";
inline constexpr const char* lock_name = "lock";
/// Appends are gathered into one write until it has this many bytes.
inline constexpr std::size_t batch_bytes_max = std::size_t{8} << 20;

/// Zeros written ahead of the records. An fdatasync of a file that does not grow has no journal of
/// the file system to wait for: it takes two thirds of the time, and of the processor.
inline constexpr std::size_t room_size = std::size_t{256} << 10;

class Window;

/// The log in one file, on one disk: what the plugin does, without its threads.
///
/// Promise: what `commit()`, `truncate()`, `install()` and `compact()` answered with success is
/// there after any crash from then on, and a crash before leaves the state before or after, nothing
/// between.
///
/// Errors: `data_loss` when a sync failed, or bytes were damaged while the log was open: from then
/// on every call answers the same error, also after `close()`. An `open()` that finds damage
/// answers `data_loss` too, and may be tried again with another file. `exhausted` when the disk is
/// full: the file is as it was, and a later try may succeed. `conflict` when the caller's idea of
/// the log is wrong: nothing is changed.
///
/// Threads: one at a time. The disk must outlive the store.
class LogStore final : public storage_queue::Backend {
public:
    explicit LogStore(Disk& disk) : disk_(disk) {}
    ~LogStore() override { let_go(); }
    LogStore(const LogStore&) = delete;
    LogStore& operator=(const LogStore&) = delete;

    /// Locks the directory and recovers the log, or begins one.
    Result<StorageOpened> open() override;
    Result<Done> close() override;

    /// Adds entries to what the next `commit()` writes. All or, on an error, none of them.
    Result<Done> stage(const std::vector<LogEntry>& entries) override;
    [[nodiscard]] std::size_t staged_bytes() const { return staged_.size(); }
    /// One write and one sync for everything staged. On an error none of it is in the log.
    Result<Done> commit() override;
    void drop_stage() override;
    [[nodiscard]] std::size_t batch_bytes_max() const override {
        return file_storage::batch_bytes_max;
    }

    /// Entries with a sequence of `from_seq` or more, `max` at most.
    Result<std::vector<LogEntry>> read(std::uint64_t from_seq, std::size_t max) override;
    Result<LogEntry> read_snapshot() override;

    Result<Done> truncate(std::uint64_t seq) override;
    Result<Done> install(const LogEntry& snapshot) override;
    Result<Done> compact(const LogEntry& snapshot) override;
    /// Nothing here waits longer than the disk.
    void interrupt() noexcept override {}

private:
    class FreshFile;

    Result<Done> ready() const;
    void let_go();
    [[nodiscard]] storage_queue::Extent extent() const { return {index_.snapshot, index_.last}; }
    Result<Done> take_lock();
    Result<std::string> recover();
    Result<Done> start_empty();
    /// Removes what a failed write left behind the last record, durably.
    Result<Done> cut_back();
    Result<LogEntry> read_record(std::uint64_t offset);
    Result<LogEntry> read_record(Window& window, std::uint64_t offset);
    /// Sees to it that there is room behind `end`, if the disk has some.
    void make_room(std::uint64_t end);
    /// Puts another file in the log's place: `snapshot`, if any, and the present entries
    /// [from, to].
    Result<Done> rewrite(const LogEntry* snapshot, std::uint64_t from, std::uint64_t to);
    /// Records that nothing can be trusted any more.
    Error lost(Error error);
    Error sync_failed(std::string_view name, int error);

    Disk& disk_;
    int lock_fd_ = -1;
    int fd_ = -1;
    Index index_;
    std::uint64_t room_end_ = 0;  ///< The file has zeros from `index_.end` to here.
    bool may_grow_ = true;        ///< There was space when room was last made.
    std::optional<Error> lost_;

    std::string staged_;  ///< Encoded records for offset `index_.end` on.
    std::vector<std::uint64_t> staged_offsets_;
    LogPosition staged_last_;
};

}  // namespace umbra::file_storage
