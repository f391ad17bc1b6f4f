#include <umbra/storage_queue/queued_storage.hpp>

#include <csignal>
#include <exception>
#include <pthread.h>
#include <utility>

namespace umbra::storage_queue {

namespace {

std::size_t bytes_of(const std::vector<LogEntry>& entries) {
    std::size_t sum = 0;
    for (const auto& entry : entries) sum += entry.body.size() + entry_overhead;
    return sum;
}

/// Leaves all signals to the host's threads. Among them SIGXFSZ, which otherwise would end the
/// process where the disk quota of the process should be an error of one append.
void block_signals() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT})
        sigdelset(&all, fault);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

QueuedStorage::QueuedStorage(Context context, std::shared_ptr<Backend> backend)
    : context_(context), backend_(std::move(backend)), worker_([this] { work(); }) {}

QueuedStorage::~QueuedStorage() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    backend_->interrupt();
    wake_.notify_one();
    worker_.join();
}

void QueuedStorage::open(Reply<StorageOpened> reply) { enqueue(Open{std::move(reply)}); }

void QueuedStorage::append(std::vector<LogEntry> entries, Reply<Done> reply) {
    const auto bytes = bytes_of(entries);
    enqueue(Append{std::move(entries), std::move(reply)}, bytes);
}

void QueuedStorage::read(std::uint64_t from_seq, std::size_t max,
                         Reply<std::vector<LogEntry>> reply) {
    enqueue(Read{from_seq, max, std::move(reply)});
}

void QueuedStorage::read_snapshot(Reply<LogEntry> reply) {
    enqueue(ReadSnapshot{std::move(reply)});
}

void QueuedStorage::truncate(std::uint64_t seq, Reply<Done> reply) {
    enqueue(Truncate{seq, std::move(reply)});
}

void QueuedStorage::install(LogEntry snapshot, Reply<Done> reply) {
    const auto bytes = snapshot.body.size();
    enqueue(Install{std::move(snapshot), std::move(reply)}, bytes);
}

void QueuedStorage::compact(LogEntry snapshot, Reply<Done> reply) {
    const auto bytes = snapshot.body.size();
    enqueue(Compact{std::move(snapshot), std::move(reply)}, bytes);
}

void QueuedStorage::stop(Reply<Done> reply) {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        stopped_ = std::move(reply);
    }
    backend_->interrupt();
    wake_.notify_one();
}

void QueuedStorage::answer_closed(Task& task) {
    std::visit([](auto& open) { open.reply.fail(Errc::closed, "the storage is stopping"); }, task);
}

void QueuedStorage::enqueue(Task task, std::size_t bytes) {
    std::unique_lock lock{mutex_};
    if (stopping_) {
        answer_closed(task);
        return;
    }
    if (bytes > queued_bytes_max - queued_bytes_) {
        // Answered by the worker all the same: replies keep the order of the calls.
        bytes = 0;
        task = std::visit(
            [](auto& full) -> Task {
                if constexpr (std::is_same_v<decltype(full.reply), Reply<Done>>)
                    return Refused{std::move(full.reply)};
                std::terminate();  // only what carries a body has bytes
            },
            task);
    }
    queued_bytes_ += bytes;
    queue_.push_back({std::move(task), bytes});
    // After the lock, so that the worker does not wake up only to wait for it.
    lock.unlock();
    wake_.notify_one();
}

void QueuedStorage::work() {
    block_signals();
    for (;;) {
        Queue tasks = next();
        if (tasks.empty()) break;
        std::size_t bytes = 0;
        for (const auto& queued : tasks) bytes += queued.bytes;
        try {
            carry_out(std::move(tasks));
        } catch (const std::exception& failure) {
            // Out of memory, mostly. The replies were dropped, which answers them.
            backend_->drop_stage();
            context_.error(std::string{"storage: "} + failure.what());
        }
        const std::lock_guard lock{mutex_};
        queued_bytes_ -= bytes;
    }
    end();
}

QueuedStorage::Queue QueuedStorage::next() {
    std::unique_lock lock{mutex_};
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    Queue taken;
    if (stopping_) return taken;
    std::size_t bytes = 0;
    do {
        bytes += queue_.front().bytes;
        taken.push_back(std::move(queue_.front()));
        queue_.pop_front();
    } while (std::holds_alternative<Append>(taken.back().task) && !queue_.empty() &&
             std::holds_alternative<Append>(queue_.front().task) &&
             bytes + queue_.front().bytes <= backend_->batch_bytes_max());
    return taken;
}

void QueuedStorage::carry_out(Queue tasks) {
    if (std::holds_alternative<Append>(tasks.front().task)) {
        carry_out_appends(std::move(tasks));
    } else {
        carry_out(tasks.front().task);
    }
}

void QueuedStorage::carry_out_appends(Queue tasks) {
    std::vector<Result<Done>> staged;
    staged.reserve(tasks.size());
    for (const auto& queued : tasks)
        staged.push_back(backend_->stage(std::get<Append>(queued.task).entries));
    const auto committed = backend_->commit();
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        auto& reply = std::get<Append>(tasks[i].task).reply;
        reply.answer(staged[i].ok() ? committed : staged[i]);
    }
}

void QueuedStorage::carry_out(Task& task) {
    struct Visitor {
        Backend& store;
        void operator()(Open& t) const { t.reply.answer(store.open()); }
        void operator()(Append&) const {}  // by carry_out_appends()
        void operator()(Read& t) const { t.reply.answer(store.read(t.from_seq, t.max)); }
        void operator()(ReadSnapshot& t) const { t.reply.answer(store.read_snapshot()); }
        void operator()(Truncate& t) const { t.reply.answer(store.truncate(t.seq)); }
        void operator()(Install& t) const { t.reply.answer(store.install(t.snapshot)); }
        void operator()(Compact& t) const { t.reply.answer(store.compact(t.snapshot)); }
        void operator()(Refused& t) const {
            t.reply.fail(Errc::exhausted, "more than " + std::to_string(queued_bytes_max) +
                                              " bytes wait to be stored; try again later");
        }
    };
    std::visit(Visitor{*backend_}, task);
}

void QueuedStorage::end() {
    try {
        if (const auto closed = backend_->close(); !closed.ok())
            context_.error("storage: " + closed.error().message);
    } catch (const std::exception& failure) {
        context_.error(std::string{"storage: "} + failure.what());
    }
    Queue open;
    Reply<Done> stopped;
    {
        const std::lock_guard lock{mutex_};
        open.swap(queue_);
        stopped = std::move(stopped_);
    }
    for (auto& queued : open) answer_closed(queued.task);
    // The last act of this thread; the destructor joins it.
    if (stopped) stopped.ok();
}

}  // namespace umbra::storage_queue
