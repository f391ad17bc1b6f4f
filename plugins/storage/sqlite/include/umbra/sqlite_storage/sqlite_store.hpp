#pragma once

#include <umbra/sqlite_storage/database.hpp>
#include <umbra/storage_queue/checks.hpp>
#include <umbra/storage_queue/directory_lock.hpp>
#include <umbra/storage_queue/mark.hpp>
#include <umbra/storage_queue/queued_storage.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbra::sqlite_storage {

/// Entries of one transaction.
inline constexpr std::size_t batch_bytes_max = std::size_t{8} << 20;

struct Settings {
    std::string directory;        ///< Exists.
    std::string file;             ///< Name in the directory.
    int busy_ms = 5000;           ///< How long open() waits for another program's lock.
    int checkpoint_pages = 1000;  ///< Pages in SQLite's log that make a commit empty it.
};

/// The log in an SQLite database: WAL, synchronous=FULL, held exclusively while it is open.
///
/// Errors: `data_loss` when a sync or another input or output failed, or damage was met while it
/// was open: from then on every call answers the same error, also after `close()`. An `open()` that
/// finds damage answers `data_loss` too, and may be tried again with other files. `exhausted` when
/// the disk is full: nothing was changed, a later try may succeed.
///
/// Threads: one at a time, but for `interrupt()` and `set_checkpoint_pages()`.
class SqliteStore final : public storage_queue::Backend {
public:
    explicit SqliteStore(Settings settings);
    ~SqliteStore() override { (void)close(); }
    SqliteStore(const SqliteStore&) = delete;
    SqliteStore& operator=(const SqliteStore&) = delete;

    Result<StorageOpened> open() override;
    Result<Done> close() override;
    Result<Done> stage(const std::vector<LogEntry>& entries) override;
    Result<Done> commit() override;
    void drop_stage() override;
    [[nodiscard]] std::size_t batch_bytes_max() const override {
        return sqlite_storage::batch_bytes_max;
    }
    Result<std::vector<LogEntry>> read(std::uint64_t from_seq, std::size_t max) override;
    Result<LogEntry> read_snapshot() override;
    Result<Done> truncate(std::uint64_t seq) override;
    Result<Done> install(const LogEntry& snapshot) override;
    Result<Done> compact(const LogEntry& snapshot) override;
    void interrupt() noexcept override { database_.interrupt(); }
    /// From any thread; counts for the next commit.
    void set_checkpoint_pages(int pages) noexcept { checkpoint_pages_ = pages; }

private:
    [[nodiscard]] Result<Done> ready() const;
    [[nodiscard]] std::string path(const std::string& name) const;
    Result<std::string> recover();
    /// The file exists afterwards, private, and what a killed process wrote is on the disk.
    Result<Done> prepare_files();
    Result<Done> sync_directory();
    Result<Done> configure();
    Result<Done> check_structure();
    /// Reads every row and leaves what it found in `extent_`.
    Result<Done> check_content();
    Result<Done> check_mark();

    Result<Done> begin();
    Result<Done> insert(const char* sql, const LogEntry& entry);
    Result<Done> delete_entries(const char* sql, std::uint64_t seq);
    /// Ends the transaction; `extent` is what the log has then.
    Result<Done> end(const storage_queue::Extent& extent);
    /// Undoes the transaction; what cannot be trusted any more is lost for good.
    Error fail(Error error);
    Error damaged(const std::string& what) const;
    Result<LogEntry> load_snapshot();
    Result<LogEntry> row(Statement& statement, const char* what);

    Settings settings_;
    std::atomic<int> checkpoint_pages_;
    storage_queue::DirectoryLock lock_;
    Database database_;
    storage_queue::Mark mark_;
    storage_queue::Extent extent_;
    std::uint64_t commits_ = 0;
    std::optional<Error> lost_;

    bool open_ = false;
    bool staging_ = false;
    storage_queue::Extent staged_;
    std::optional<Error> stage_failed_;
};

}  // namespace umbra::sqlite_storage
