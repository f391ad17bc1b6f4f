#include <umbra/etcd_storage/etcd_store.hpp>
#include <umbra/etcd_storage/owner.hpp>
#include <umbra/storage_queue/checksum.hpp>

#include <algorithm>
#include <utility>

namespace umbra::etcd_storage {

namespace {

/// How often a start begins anew because the head changed between its look and its write.
constexpr int late_writes_max = 5;

constexpr const char* remedy =
    "; restore etcd, or give this instance another prefix so that it fetches everything from its "
    "peer";

std::string mark_path(const Settings& settings) {
    // A mark is true for one prefix only.
    return settings.directory + "/mark-" + std::to_string(storage_queue::crc64(settings.prefix));
}

}  // namespace

EtcdStore::EtcdStore(Settings settings)
    : settings_(std::move(settings)),
      keys_(settings_.prefix),
      client_(settings_.client),
      mark_(mark_path(settings_)) {}

std::string EtcdStore::place() const { return "the prefix " + keys_.prefix() + " in etcd"; }

Result<Done> EtcdStore::ready() const {
    if (lost_) return *lost_;
    if (!open_)
        return Error{Errc::conflict, "the storage in " + settings_.directory + " is not open"};
    return Done{};
}

const LogPosition& EtcdStore::staged_last() const {
    return staged_.empty() ? head_.last : staged_.back().position;
}

// --- open and close
// -------------------------------------------------------------------------------

Result<StorageOpened> EtcdStore::open() {
    if (lost_) return *lost_;
    if (open_)
        return Error{Errc::conflict, "the storage in " + settings_.directory + " is open already"};
    auto detail = recover();
    if (!detail.ok()) {
        (void)close();
        return detail.error();
    }
    open_ = true;
    return StorageOpened{head_.last, head_.snapshot, std::move(detail).value()};
}

Result<Done> EtcdStore::close() {
    drop_stage();
    client_.close();
    mark_.close();
    lock_.release();
    open_ = false;
    return Done{};
}

Result<std::string> EtcdStore::recover() {
    if (auto r = lock_.take(settings_.directory); !r.ok()) return r.error();
    if (auto r = client_.load_files(); !r.ok()) return r.error();
    const auto owner = owner_of(settings_.directory);
    if (!owner.ok()) return owner.error();
    const auto durable = mark_.read();
    if (!durable.ok()) return durable.error();

    if (auto r = mark_.start(*durable); !r.ok()) return r.error();
    auto detail = take(*owner, *durable);
    // A last write of the process that was killed may still have been on its way.
    for (int i = 0; i < late_writes_max && !detail.ok() && detail.error().code == Errc::canceled;
         ++i)
        detail = take(*owner, *durable);
    if (!detail.ok()) {
        auto error = detail.error();
        if (error.code == Errc::canceled) error.code = Errc::conflict;
        return error;
    }
    if (head_.last.seq == head_.snapshot.seq) return detail;
    const auto last = fetch(head_.last.seq, head_.last.seq);
    if (!last.ok()) return last.error();
    if (last.value().front().position != head_.last)
        return Error{Errc::data_loss, place() + " ends with another entry " +
                                          std::to_string(head_.last.seq) + " than it says" +
                                          remedy};
    return detail;
}

Result<std::string> EtcdStore::take(const std::string& owner, std::uint64_t durable) {
    const auto found = client_.range(keys_.head(), {}, 1);
    if (!found.ok()) return found.error();
    const auto& pairs = found.value().pairs;
    head_ = {};
    head_.owner = owner;
    auto detail = claim(pairs.empty() ? std::nullopt : std::optional{pairs.front()});
    if (!detail.ok()) return detail;
    if (head_.writes < durable)
        return Error{Errc::data_loss, place() + " has " + std::to_string(head_.writes) +
                                          " writes, but " + std::to_string(durable) +
                                          " were durable: etcd was restored from a backup" +
                                          remedy};
    head_.session = random_identity();
    auto open = transaction();
    sweep(open);
    auto done = finish(open, head_);
    if (done.ok()) return detail;
    auto error = done.error();
    if (error.code == Errc::conflict) error.code = Errc::canceled;
    return error;
}

Result<std::string> EtcdStore::claim(const std::optional<KeyValue>& found) {
    const auto instance = settings_.instance;
    const auto owner = head_.owner;
    revision_ = 0;
    if (!found) {
        const auto rest =
            client_.range(keys_.prefix(), etcd::end_of_prefix(keys_.prefix()), 0, true);
        if (!rest.ok()) return rest.error();
        head_.instance = instance;
        if (rest.value().count == 0) return std::string{};
        return Error{Errc::data_loss, place() + " has " + std::to_string(rest.value().count) +
                                          " keys, but not " + keys_.head() + remedy};
    }
    auto head = decode_head(found->value);
    if (!head.ok()) {
        auto error = head.error();
        error.message.insert(0, "the key " + keys_.head() + " in etcd ");
        if (error.code == Errc::data_loss) error.message += remedy;
        return error;
    }
    revision_ = found->mod_revision;
    head_ = *head;
    head_.owner = owner;
    head_.instance = instance;
    if (head.value().owner == owner) return std::string{};
    if (!settings_.adopt)
        return Error{
            Errc::conflict,
            place() + " belongs to instance \"" + head.value().instance +
                "\" with another data_dir; give this one another prefix or, if that one is "
                "gone for good, set adopt = true for one start"};
    return "took over " + place() + " from instance \"" + head.value().instance + "\"";
}

// --- changes
// --------------------------------------------------------------------------------------

Error EtcdStore::taken_over(const Found& found) const {
    std::string who = "somebody";
    if (!found.pairs.empty())
        if (const auto head = decode_head(found.pairs.front().value); head.ok())
            who = "instance \"" + head.value().instance + "\"";
    return {Errc::conflict, place() + " was taken over by " + who +
                                " while this instance was using it; end one of the two"};
}

Error EtcdStore::fail(Error error) {
    swept_ = false;
    switch (error.code) {
        case Errc::timeout:
            error.message += "; whether the change was stored is unknown, start the instance again";
            [[fallthrough]];
        case Errc::conflict:
        case Errc::data_loss:
        case Errc::internal:
            lost_ = error;
            break;
        default:
            break;
    }
    return error;
}

Result<Done> EtcdStore::put(Transaction& open, const std::string& key, const std::string& value) {
    const bool fits = open.operations() < transaction_operations_max &&
                      open.bytes() + key.size() + value.size() < transaction_bytes_max;
    if (!fits && open.operations() > 0) {
        // Does not count before the head says so.
        swept_ = false;
        const auto sent = client_.commit(open);
        if (!sent.ok()) return sent.error();
        if (!sent.value().succeeded) return taken_over(sent.value().found);
        open = transaction();
    }
    open.put(key, value);
    return Done{};
}

Result<Done> EtcdStore::finish(Transaction& last, Head next) {
    ++next.writes;
    last.put(keys_.head(), encode_head(next));
    const auto sent = client_.commit(last);
    if (!sent.ok()) return sent.error();
    const auto& outcome = sent.value();
    revision_ = outcome.revision;
    if (!outcome.succeeded) {
        // It was asked more than once, and had been carried out before.
        const auto& pairs = outcome.found.pairs;
        if (pairs.empty() || pairs.front().value != encode_head(next))
            return taken_over(outcome.found);
        revision_ = pairs.front().mod_revision;
    }
    head_ = std::move(next);
    swept_ = true;
    mark_.set(head_.writes);
    return Done{};
}

void EtcdStore::sweep(Transaction& open) const {
    open.erase(keys_.entry(head_.last.seq + 1), keys_.end_of_entries());
    open.erase(keys_.snapshots(0), keys_.snapshots(head_.snapshot_id));
    open.erase(keys_.snapshots(head_.snapshot_id + 1), keys_.end_of_snapshots());
}

Result<Done> EtcdStore::sweep_if_needed() {
    if (swept_) return Done{};
    auto open = transaction();
    sweep(open);
    return finish(open, head_);
}

Result<Done> EtcdStore::stage(const std::vector<LogEntry>& entries) {
    if (auto r = ready(); !r.ok()) return r;
    if (auto r = storage_queue::check_append(staged_last(), entries); !r.ok()) return r;
    staged_.insert(staged_.end(), entries.begin(), entries.end());
    return Done{};
}

Result<Done> EtcdStore::commit() {
    const auto entries = std::exchange(staged_, {});
    if (auto r = ready(); !r.ok()) return r;
    if (entries.empty()) return Done{};
    const auto done = [&]() -> Result<Done> {
        if (auto r = sweep_if_needed(); !r.ok()) return r;
        auto open = transaction();
        for (const auto& entry : entries)
            for (std::size_t part = 0; part < parts_of(entry.body.size()); ++part)
                if (auto r =
                        put(open, keys_.entry(entry.position.seq, part), encode_entry(entry, part));
                    !r.ok())
                    return r;
        auto next = head_;
        next.last = entries.back().position;
        return finish(open, std::move(next));
    }();
    if (!done.ok()) return fail(done.error());
    return Done{};
}

Result<Done> EtcdStore::truncate(std::uint64_t seq) {
    if (auto r = ready(); !r.ok()) return r;
    const auto cut = storage_queue::check_truncate(extent(), seq);
    if (!cut.ok()) return cut.error();
    if (!*cut) return Done{};
    auto next = head_;
    next.last = head_.snapshot;
    if (seq > head_.snapshot.seq) {
        const auto last = fetch(seq, seq);
        if (!last.ok()) return damaged(last.error());
        next.last = last.value().front().position;
    }
    auto open = transaction();
    open.erase(keys_.entry(seq + 1), keys_.end_of_entries());
    if (auto r = finish(open, std::move(next)); !r.ok()) return fail(r.error());
    return Done{};
}

Result<Done> EtcdStore::put_snapshot(Transaction& open, const LogEntry& snapshot, Head& next) {
    // Beside the one that counts; the number of the write that makes it count is new.
    next.snapshot = snapshot.position;
    next.snapshot_id = head_.writes + 1;
    next.snapshot_size = snapshot.body.size();
    next.snapshot_sum = storage_queue::checksum(snapshot);
    for (std::size_t part = 0; part < parts_of(snapshot.body.size()); ++part)
        if (auto r = put(open, keys_.snapshot(next.snapshot_id, part),
                         std::string{part_of(snapshot.body, part)});
            !r.ok())
            return r;
    if (head_.snapshot_id != 0)
        open.erase(keys_.snapshots(head_.snapshot_id), keys_.snapshots(head_.snapshot_id + 1));
    return Done{};
}

Result<Done> EtcdStore::install(const LogEntry& snapshot) {
    if (auto r = ready(); !r.ok()) return r;
    if (auto r = storage_queue::check_snapshot(snapshot); !r.ok()) return r;
    const auto done = [&]() -> Result<Done> {
        if (auto r = sweep_if_needed(); !r.ok()) return r;
        auto open = transaction();
        auto next = head_;
        if (auto r = put_snapshot(open, snapshot, next); !r.ok()) return r;
        open.erase(keys_.entry(0), keys_.end_of_entries());
        next.last = snapshot.position;
        return finish(open, std::move(next));
    }();
    if (!done.ok()) return fail(done.error());
    return Done{};
}

Result<Done> EtcdStore::compact(const LogEntry& snapshot) {
    if (auto r = ready(); !r.ok()) return r;
    if (auto r = storage_queue::check_snapshot(snapshot); !r.ok()) return r;
    const auto seq = snapshot.position.seq;
    std::optional<LogPosition> known;
    if (seq > head_.snapshot.seq && seq <= head_.last.seq) {
        const auto entry = fetch(seq, seq);
        if (!entry.ok()) return damaged(entry.error());
        known = entry.value().front().position;
    }
    if (auto r = storage_queue::check_compact(extent(), snapshot, known); !r.ok()) return r;
    const auto done = [&]() -> Result<Done> {
        if (auto r = sweep_if_needed(); !r.ok()) return r;
        auto open = transaction();
        auto next = head_;
        if (auto r = put_snapshot(open, snapshot, next); !r.ok()) return r;
        open.erase(keys_.entry(0), keys_.entry(seq + 1));
        return finish(open, std::move(next));
    }();
    if (!done.ok()) return fail(done.error());
    return Done{};
}

// --- reading
// --------------------------------------------------------------------------------------

template <class Take>
Result<Done> EtcdStore::each(std::string key, const std::string& end, Take take) {
    auto limit = page_min;
    while (key < end) {
        auto found = client_.range(key, end, limit);
        // Only a page that was too large for its answer; the smallest fits.
        if (!found.ok() && found.error().code == Errc::exhausted && limit > page_min) {
            limit = page_min;
            continue;
        }
        if (!found.ok()) return found.error();
        auto& pairs = found.value().pairs;
        std::size_t bytes = 0;
        for (auto& pair : pairs) {
            bytes += pair.value.size();
            if (auto r = take(pair.key, std::move(pair.value)); !r.ok()) return r;
        }
        if (pairs.size() < limit) break;
        key = pairs.back().key + '\0';
        limit = bytes < transaction_bytes_max ? std::min(limit * 2, page_max)
                                              : std::max(limit / 2, page_min);
    }
    return Done{};
}

/// @pre The entries of [first, last] are there.
Result<std::vector<LogEntry>> EtcdStore::fetch(std::uint64_t first, std::uint64_t last) {
    std::vector<LogEntry> entries;
    Assembly assembly{keys_, first};
    const auto read = each(keys_.entry(first), keys_.entry(last + 1),
                           [&](const std::string& key, std::string value) -> Result<Done> {
                               auto entry = assembly.take(key, std::move(value));
                               if (!entry.ok()) return entry.error();
                               if (*entry) entries.push_back(*std::move(*entry));
                               return Done{};
                           });
    if (!read.ok()) return read.error();
    if (assembly.next() != last + 1 || !assembly.complete())
        return Error{Errc::data_loss,
                     "the key " + keys_.entry(assembly.next()) + " is not in etcd"};
    return entries;
}

Error EtcdStore::damaged(Error error) {
    if (error.code != Errc::data_loss) return error;
    // Or it is not ours any more.
    const auto found = client_.range(keys_.head(), {}, 1);
    if (found.ok() &&
        (found.value().pairs.empty() || found.value().pairs.front().mod_revision != revision_))
        error = taken_over(*found);
    else
        error.message += remedy;
    lost_ = error;
    return error;
}

Result<std::vector<LogEntry>> EtcdStore::read(std::uint64_t from_seq, std::size_t max) {
    if (auto r = ready(); !r.ok()) return r.error();
    const auto first = std::max(from_seq, head_.snapshot.seq + 1);
    if (max == 0 || first > head_.last.seq) return std::vector<LogEntry>{};
    const auto last = first + std::min<std::uint64_t>(max - 1, head_.last.seq - first);
    auto entries = fetch(first, last);
    if (!entries.ok()) return damaged(entries.error());
    return entries;
}

Result<LogEntry> EtcdStore::read_snapshot() {
    if (auto r = ready(); !r.ok()) return r.error();
    LogEntry snapshot{head_.snapshot, {}};
    if (head_.snapshot_id == 0) return snapshot;
    const auto id = head_.snapshot_id;
    std::size_t part = 0;
    const auto read =
        each(keys_.snapshots(id), keys_.snapshots(id + 1),
             [&](const std::string& key, const std::string& value) -> Result<Done> {
                 if (key != keys_.snapshot(id, part++))
                     return Error{Errc::data_loss, "the key " + key + " is one too many"};
                 snapshot.body += value;
                 return Done{};
             });
    if (!read.ok()) return damaged(read.error());
    if (snapshot.body.size() != head_.snapshot_size ||
        storage_queue::checksum(snapshot) != head_.snapshot_sum)
        return damaged({Errc::data_loss, "the snapshot in the keys " + keys_.snapshots(id) +
                                             " does not match its checksum"});
    return snapshot;
}

}  // namespace umbra::etcd_storage
