#pragma once

#include <umbra/file_storage/log_store.hpp>
#include <umbra/sdk/storage.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

namespace umbra::file_storage {

/// Bodies that may wait for the disk at any time; more is `exhausted`.
inline constexpr std::size_t queued_bytes_max = std::size_t{128} << 20;
/// Appends are gathered into one write until it has this many bytes.
inline constexpr std::size_t batch_bytes_max = std::size_t{8} << 20;

/// The plugin: a queue in front of one `LogStore`, and the one thread that works it off.
///
/// Group commit: the appends that queue up while a sync runs become one write and one sync. Replies
/// are given by the worker, in the order of the calls.
class FileStorage final : public ConfigStorage {
public:
    struct Options {};
    static constexpr PluginInfo info{"file", "0.1.0",
                                     "Keeps the shared configuration in an append-only file."};
    static constexpr auto schema = umbra::options<Options>();

    FileStorage(Context context, Options options);
    ~FileStorage() override;

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

    /// @param bytes  Size of the bodies that the task holds.
    void enqueue(Task task, std::size_t bytes);
    void work();
    /// Waits for tasks and takes one of them, or several appends. Empty: stop.
    Queue next();
    void carry_out(Queue tasks);
    void carry_out_appends(Queue tasks);
    void carry_out(Task& task);
    static void answer_closed(Task& task);
    void end();

    Context context_;

    std::mutex mutex_;
    std::condition_variable wake_;
    Queue queue_;                   // guarded by mutex_
    std::size_t queued_bytes_ = 0;  // guarded by mutex_; what the worker has in hand included
    bool stopping_ = false;         // guarded by mutex_
    Reply<Done> stopped_;           // guarded by mutex_

    PosixDisk disk_;  // the worker's
    LogStore store_;  // the worker's
    std::thread worker_;
};

}  // namespace umbra::file_storage
