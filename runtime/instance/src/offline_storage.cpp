#include "offline_storage.hpp"

#include "sha256.hpp"
#include <umbra/base/log.hpp>
#include <umbra/core/log.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace umbra::instance {

namespace {

/// A storage that checks all that it has when it is opened takes its time; one that answers at all
/// is not to be given up.
constexpr Duration operation_limit = std::chrono::minutes{10};
constexpr Duration close_limit = std::chrono::seconds{30};
constexpr std::size_t batch_entries = 1000;
constexpr std::size_t batch_bytes = std::size_t{4} * 1024 * 1024;

host::Deadline soon_enough() { return host::Deadline::after(operation_limit); }

Error broken_at(const LogPosition& position) {
    return {Errc::data_loss, "entry " + std::to_string(position.seq) +
                                 " of the stored configuration does not follow the one before it"};
}

}  // namespace

LogPosition StoredLog::last() const {
    if (!entries.empty()) return entries.back().position;
    return snapshot ? snapshot->position : LogPosition{};
}

std::string StoredLog::describe() const {
    if (empty()) return "an empty log";
    std::string text =
        std::to_string(entries.size()) + (entries.size() == 1 ? " entry" : " entries");
    if (snapshot) text = entries.empty() ? "a snapshot" : text + " and a snapshot";
    const LogPosition position = last();
    return text + ", up to revision " + core::to_string({position.epoch, position.seq});
}

Result<Done> check_chain(const StoredLog& log) {
    LogPosition before = log.snapshot ? log.snapshot->position : LogPosition{};
    for (const LogEntry& stored : log.entries) {
        const LogPosition& at = stored.position;
        const auto entry = core::decode_entry(stored.body);
        if (!entry) return broken_at(at);
        std::string chained(reinterpret_cast<const char*>(before.hash.data()), before.hash.size());
        chained += stored.body;
        const bool follows = at.seq == before.seq + 1 && at.epoch >= before.epoch &&
                             entry->revision == core::Revision{at.epoch, at.seq} &&
                             entry->previous == before.hash && sha256(chained) == at.hash;
        if (!follows) return broken_at(at);
        before = at;
    }
    return Done{};
}

OfflineLoop::OfflineLoop() {
    loop_.on_signal([this](int) { interrupted_ = true; });
}

void OfflineLoop::finish(const std::function<void(std::function<void()>)>& start) {
    const auto over = std::make_shared<bool>(false);
    start([over] { *over = true; });
    loop_.run_until([&] { return *over; });
}

host::Surroundings OfflineLoop::surroundings() {
    // A command says by itself how it went; what a plugin remarks on the way is of use if it warns.
    return {loop_.executor(),
            &loop_,
            {[](umbra_log_level level) { return level >= UMBRA_LOG_WARN; },
             [](umbra_log_level level, std::string_view room, std::string_view text) {
                 const bool error = level >= UMBRA_LOG_ERROR;
                 base::log_write(error ? base::LogLevel::error : base::LogLevel::warn, room, text);
             }}};
}

Result<std::unique_ptr<OfflineStorage>> OfflineStorage::open(OfflineLoop& loop,
                                                             const host::Registry& registry,
                                                             const Place& place) {
    const auto plugin = registry.load(UMBRA_KIND_STORAGE, place.plugin);
    if (!plugin) return plugin.error();
    auto handle = host::StorageHandle::make(
        *registry.find(UMBRA_KIND_STORAGE, place.plugin),
        {place.instance, place.plugin, place.state_dir, place.options.data(), place.options.size()},
        loop.surroundings());
    if (!handle) return handle.error();
    std::unique_ptr<OfflineStorage> storage{new OfflineStorage{loop}};
    storage->handle_ = std::move(handle).value();
    auto opened = loop.await<StorageOpened>(
        [&](auto done) { storage->handle_->open(soon_enough(), std::move(done)); });
    if (!opened) return opened.error();
    storage->found_ = *opened;
    if (!opened->detail.empty()) base::warn("storage", "{}", opened->detail);
    return storage;
}

OfflineStorage::~OfflineStorage() {
    loop_.finish([&](std::function<void()> done) {
        handle_->stop(host::Deadline::after(close_limit),
                      [done = std::move(done)](const Result<Done>&) { done(); });
    });
}

Result<StoredLog> OfflineStorage::read() {
    StoredLog log;
    if (found_.snapshot.seq != 0) {
        auto snapshot = loop_.await<LogEntry>(
            [&](auto done) { handle_->read_snapshot(soon_enough(), std::move(done)); });
        if (!snapshot) return snapshot.error();
        log.snapshot = std::move(*snapshot);
    }
    while (log.last().seq < found_.last.seq) {
        auto batch = loop_.await<std::vector<LogEntry>>([&](auto done) {
            handle_->read(log.last().seq + 1, batch_entries, soon_enough(), std::move(done));
        });
        if (!batch) return batch.error();
        if (batch->empty()) {
            return Error{Errc::data_loss, "the stored configuration ends after entry " +
                                              std::to_string(log.last().seq) + " instead of " +
                                              std::to_string(found_.last.seq)};
        }
        std::move(batch->begin(), batch->end(), std::back_inserter(log.entries));
    }
    if (auto whole = check_chain(log); !whole) return whole.error();
    return log;
}

Result<Done> OfflineStorage::clear_for(const StoredLog& log) {
    if (log.snapshot) {
        return loop_.await<Done>(
            [&](auto done) { handle_->install(*log.snapshot, soon_enough(), std::move(done)); });
    }
    if (found_.snapshot.seq != 0) {
        // No operation of a storage removes a snapshot.
        return Error{Errc::conflict,
                     "the unfinished copy has a snapshot, and the log has none; empty the storage "
                     "by hand"};
    }
    if (found_.last.seq == 0) return Done{};
    return loop_.await<Done>(
        [&](auto done) { handle_->truncate(0, soon_enough(), std::move(done)); });
}

Result<Done> OfflineStorage::replace_by(const StoredLog& log) {
    if (auto cleared = clear_for(log); !cleared) return cleared;
    for (auto next = log.entries.begin(); next != log.entries.end();) {
        std::vector<LogEntry> batch;
        std::size_t bytes = 0;
        while (next != log.entries.end() && batch.size() < batch_entries &&
               (batch.empty() || bytes + next->body.size() <= batch_bytes)) {
            bytes += next->body.size();
            batch.push_back(*next++);
        }
        auto written = loop_.await<Done>(
            [&](auto done) { handle_->append(batch, soon_enough(), std::move(done)); });
        if (!written) return written;
    }
    return Done{};
}

Result<Done> write_verified(OfflineLoop& loop, const host::Registry& registry,
                            const OfflineStorage::Place& place, const StoredLog& log) {
    {
        const auto storage = OfflineStorage::open(loop, registry, place);
        if (!storage) return storage.error();
        if (auto written = (*storage)->replace_by(log); !written) return written;
    }
    const auto storage = OfflineStorage::open(loop, registry, place);
    if (!storage) return storage.error();
    const auto back = (*storage)->read();
    if (!back) return back.error();
    if (*back == log) return Done{};
    return Error{Errc::data_loss, "storage " + place.plugin +
                                      " gives back something else than was "
                                      "written: " +
                                      back->describe() + ", instead of " + log.describe()};
}

}  // namespace umbra::instance
