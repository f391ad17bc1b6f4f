#pragma once

#include <umbra/sdk/storage.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

namespace umbra::storage_queue {

/// Bodies that may wait for the store at any time; more is `exhausted`.
inline constexpr std::size_t queued_bytes_max = std::size_t{128} << 20;
/// What an entry costs in the queue beside its body.
inline constexpr std::size_t entry_overhead = 128;

/// Where the log is kept. One thread calls everything but `interrupt()`, and may be blocked.
/// The promises are those of `ConfigStorage`.
class Backend {
public:
    virtual ~Backend() = default;

    virtual Result<StorageOpened> open() = 0;
    /// Lets go of everything; what was staged is dropped. An error is for the log only.
    virtual Result<Done> close() = 0;

    /// Adds entries to what the next `commit()` makes durable. All or, on an error, none of them.
    virtual Result<Done> stage(const std::vector<LogEntry>& entries) = 0;
    /// On an error none of what was staged is in the log.
    virtual Result<Done> commit() = 0;
    virtual void drop_stage() = 0;
    /// Bytes of entries that one `commit()` should have at most.
    [[nodiscard]] virtual std::size_t batch_bytes_max() const = 0;

    virtual Result<std::vector<LogEntry>> read(std::uint64_t from_seq, std::size_t max) = 0;
    virtual Result<LogEntry> read_snapshot() = 0;
    virtual Result<Done> truncate(std::uint64_t seq) = 0;
    virtual Result<Done> install(const LogEntry& snapshot) = 0;
    virtual Result<Done> compact(const LogEntry& snapshot) = 0;

    /// From any thread: no more waiting, the plugin is stopping.
    virtual void interrupt() noexcept = 0;
};

/// A storage plugin but for its name and options: a queue in front of a `Backend`, and the one
/// thread that works it off.
///
/// Group commit: the appends that queue up while one is under way reach the backend together.
/// Replies are given by the worker, in the order of the calls.
class QueuedStorage : public ConfigStorage {
public:
    QueuedStorage(Context context, std::shared_ptr<Backend> backend);
    ~QueuedStorage() override;

    void open(Reply<StorageOpened> reply) override;
    void append(std::vector<LogEntry> entries, Reply<Done> reply) override;
    void read(std::uint64_t from_seq, std::size_t max, Reply<std::vector<LogEntry>> reply) override;
    void read_snapshot(Reply<LogEntry> reply) override;
    void truncate(std::uint64_t seq, Reply<Done> reply) override;
    void install(LogEntry snapshot, Reply<Done> reply) override;
    void compact(LogEntry snapshot, Reply<Done> reply) override;
    void stop(Reply<Done> reply) override;

private:
    struct Open {
        Reply<StorageOpened> reply;
    };
    struct Append {
        std::vector<LogEntry> entries;
        Reply<Done> reply;
    };
    struct Read {
        std::uint64_t from_seq;
        std::size_t max;
        Reply<std::vector<LogEntry>> reply;
    };
    struct ReadSnapshot {
        Reply<LogEntry> reply;
    };
    struct Truncate {
        std::uint64_t seq;
        Reply<Done> reply;
    };
    struct Install {
        LogEntry snapshot;
        Reply<Done> reply;
    };
    struct Compact {
        LogEntry snapshot;
        Reply<Done> reply;
    };
    /// Did not fit into the queue; answered in its turn.
    struct Refused {
        Reply<Done> reply;
    };
    using Task =
        std::variant<Open, Append, Read, ReadSnapshot, Truncate, Install, Compact, Refused>;
    struct Queued {
        Task task;
        std::size_t bytes;
    };
    using Queue = std::deque<Queued>;

    void enqueue(Task task, std::size_t bytes = 0);
    void work();
    /// Waits for tasks and takes one of them, or several appends. Empty: stop.
    Queue next();
    void carry_out(Queue tasks);
    void carry_out_appends(Queue tasks);
    void carry_out(Task& task);
    static void answer_closed(Task& task);
    void end();

    Context context_;
    std::shared_ptr<Backend> backend_;  // the worker's, but for interrupt()

    std::mutex mutex_;
    std::condition_variable wake_;
    Queue queue_;                   // guarded by mutex_
    std::size_t queued_bytes_ = 0;  // guarded by mutex_; what the worker has in hand included
    bool stopping_ = false;         // guarded by mutex_
    Reply<Done> stopped_;           // guarded by mutex_

    std::thread worker_;
};

}  // namespace umbra::storage_queue
