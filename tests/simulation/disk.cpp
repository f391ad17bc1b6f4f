#include "disk.hpp"

#include "hash.hpp"

#include <algorithm>

namespace umbra::simulation {

namespace effect = core::effect;

void Disk::format(core::Persistent fresh, std::string name) {
    ++life_;
    state = fresh;
    incarnation = std::move(name);
    base = {};
    entries.clear();
    divergence.clear();
    kept_keys.clear();
    persisting_.clear();
    storing_.clear();
    failed_ = false;
}

Duration Disk::delay() {
    if (world_.has(Fault::slow_disk) && world_.luck(Fault::slow_disk).chance(slow)) {
        world_.count("fault: slow disk");
        return world_.luck(Fault::slow_disk).between(50ms, 1500ms);
    }
    return world_.random.between(100us, 8ms);
}

/// An error of fsync is final: what is on the disk now is anybody's guess.
bool Disk::fsync_fails() {
    if (failed_) return true;
    if (!world_.has(Fault::fsync_error) || !world_.luck(Fault::fsync_error).chance(failing)) {
        return false;
    }
    world_.count("fault: fsync failed");
    const bool ignored = world_.is(Mutant::fsync_error_ignored);
    failed_ = !ignored;
    listener_.failed();
    return !ignored;
}

void Disk::persist(const effect::Persist& write) {
    persisting_.push_back(write);
    if (world_.is(Mutant::epoch_not_persisted)) {
        world_.after(0ns, [this, life = life_, version = write.version] {
            if (life == life_) listener_.persisted(version);
        });
    }
    persist_free_ = std::max(persist_free_, world_.now()) + delay();
    world_.after(persist_free_ - world_.now(), [this, life = life_] {
        if (life == life_) finish_persist();
    });
}

void Disk::finish_persist() {
    if (fsync_fails()) return;
    const auto done = persisting_.front();
    persisting_.pop_front();
    state = done.state;
    if (!world_.is(Mutant::epoch_not_persisted)) listener_.persisted(done.version);
}

std::uint64_t Disk::op_of(const core::Effect& write) {
    if (const auto* append = std::get_if<effect::Append>(&write)) return append->op;
    if (const auto* cut = std::get_if<effect::Truncate>(&write)) return cut->op;
    if (const auto* compact = std::get_if<effect::Compact>(&write)) return compact->op;
    return std::get<effect::Install>(write).op;
}

void Disk::store(core::Effect write) {
    // What is lost is saved first, at once: the shell holds its loop for it.
    const std::vector<core::Logged>* saved = nullptr;
    if (const auto* cut = std::get_if<effect::Truncate>(&write)) saved = &cut->saved;
    if (const auto* install = std::get_if<effect::Install>(&write)) {
        saved = &install->saved;
        for (const auto& key : install->edits.keys) kept_keys.insert(key.key);
    }
    if (const auto* append = std::get_if<effect::Append>(&write)) {
        for (const auto& logged : append->entries) listener_.written(logged);
    }
    if (saved != nullptr && !world_.is(Mutant::fork_not_saved)) {
        divergence.insert(divergence.end(), saved->begin(), saved->end());
    }
    if (world_.is(Mutant::shadow_lies_about_disk) ||
        (full && world_.is(Mutant::disk_full_acknowledged))) {
        world_.after(0ns, [this, life = life_, op = op_of(write)] {
            if (life == life_) listener_.stored(op);
        });
    }
    storing_.push_back(std::move(write));
    store_free_ = std::max(store_free_, world_.now()) + delay();
    world_.after(store_free_ - world_.now(), [this, life = life_] {
        if (life == life_) finish_store();
    });
}

void Disk::finish_store() {
    if (full) {
        world_.count("fault: no room for entries");
        // Tried again until there is room, in the same order.
        world_.after(50ms, [this, life = life_] {
            if (life == life_) finish_store();
        });
        return;
    }
    if (fsync_fails()) return;
    const auto done = std::move(storing_.front());
    storing_.pop_front();
    apply(done);
    if (!world_.is(Mutant::shadow_lies_about_disk)) listener_.stored(op_of(done));
}

void Disk::append(const effect::Append& write) {
    for (const auto& logged : write.entries) {
        const auto next = base.position.revision.seq + entries.size() + 1;
        const auto seq = logged.position.revision.seq;
        if (world_.is(Mutant::fork_never_cut) && seq < next) continue;
        if (seq != next) {
            throw Violation("S5: the disk was told to append entry " +
                            to_string(logged.position.revision) + " where " + std::to_string(next) +
                            " is next");
        }
        entries.push_back(logged);
        listener_.landed(logged);
    }
}

void Disk::cut(const effect::Truncate& write) {
    if (world_.is(Mutant::fork_never_cut)) return;
    if (write.seq < base.position.revision.seq) {
        throw Violation("S15: the disk was told to cut after entry " + std::to_string(write.seq) +
                        ", which is compacted");
    }
    const auto keep = static_cast<std::size_t>(write.seq - base.position.revision.seq);
    for (std::size_t i = keep; i < entries.size(); ++i) {
        const bool saved =
            std::find(divergence.begin(), divergence.end(), entries[i]) != divergence.end();
        if (!saved) throw Violation("S4: an entry was cut that was not saved");
    }
    if (keep < entries.size()) world_.count("transition: fork cut");
    entries.resize(std::min(keep, entries.size()));
}

void Disk::compact(const effect::Compact& write) {
    const auto seq = write.position.revision.seq;
    const auto first = base.position.revision.seq;
    // A mutant that went ahead of it has nothing left to do.
    const bool ahead = world_.is(Mutant::compaction_of_uncommitted) ||
                       world_.is(Mutant::compaction_outruns_shadow);
    if (seq <= first && ahead) return;
    const auto count = static_cast<std::size_t>(seq - first);
    if (seq <= first || count > entries.size() || entries[count - 1].position != write.position) {
        throw Violation("S5: the disk was told to compact to " +
                        to_string(write.position.revision) + ", which is not there");
    }
    world_.count("transition: log compacted");
    base = read(write.position, write.snapshot);
    entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(count));
}

core::Snapshot Disk::read(const core::Position& position, const std::string& body) const {
    auto snapshot = core::decode_snapshot(position, body);
    if (!snapshot) throw Violation("S5: a snapshot cannot be read");
    if (world_.is(Mutant::snapshot_forgets_operations)) snapshot->operations.clear();
    return std::move(*snapshot);
}

void Disk::rot() {
    base.document.insert_or_assign("rotten", std::to_string(world_.luck(Fault::rot).below(1000)));
}

void Disk::apply(const core::Effect& write) {
    if (const auto* append_write = std::get_if<effect::Append>(&write)) {
        append(*append_write);
    } else if (const auto* truncate = std::get_if<effect::Truncate>(&write)) {
        cut(*truncate);
    } else if (const auto* compact_write = std::get_if<effect::Compact>(&write)) {
        compact(*compact_write);
    } else if (const auto* install = std::get_if<effect::Install>(&write)) {
        world_.count("transition: snapshot installed");
        if (install->position.revision.seq == 0) throw Violation("S5: a snapshot of nothing");
        world_.trace(incarnation,
                     "installs the snapshot of " + to_string(install->position.revision));
        base = read(install->position, install->snapshot);
        entries.clear();
    }
}

void Disk::crash() {
    ++life_;
    failed_ = false;
    bool survives = true;
    for (const auto& write : std::exchange(persisting_, {})) {
        survives = survives && world_.random.chance(500);
        if (survives) state = write.state;
        if (!survives) world_.count("fault: unsynced state lost");
    }
    survives = true;
    for (auto& write : std::exchange(storing_, {})) {
        survives = survives && !full && world_.random.chance(500);
        if (survives) {
            apply(write);
            continue;
        }
        world_.count("fault: unsynced entries lost");
        auto* append = std::get_if<effect::Append>(&write);
        if (append == nullptr || full || append->entries.empty()) break;
        // Of an append a part may be there, and half of what comes next.
        const auto whole =
            static_cast<std::size_t>(world_.random.below(append->entries.size() + 1));
        const auto next = whole < append->entries.size()
                              ? std::optional<core::Logged>{append->entries[whole]}
                              : std::nullopt;
        append->entries.resize(whole);
        apply(*append);
        if (next && world_.random.chance(500)) tear(*next);
        break;
    }
    persist_free_ = store_free_ = world_.now();
}

/// Half a record is at the end of the file. Its checksum says so, and the reader drops it.
void Disk::tear(const core::Logged& half) {
    world_.count("fault: record torn");
    if (!world_.is(Mutant::torn_record_accepted)) return;
    auto entry = core::decode_entry(half.body);
    if (!entry) return;
    entry->changes.clear();
    auto log = load();
    if (!log.push(core::encode(*entry))) return;
    entries.push_back(log.entries().back());
    listener_.landed(entries.back());
}

core::Log Disk::load() const {
    core::Log log(&quick_hash);
    if (base.position.revision.seq != 0) log.install(base);
    for (const auto& logged : entries) {
        if (!log.push(logged.body) || log.last() != logged.position) {
            throw Violation("S5: the log on disk does not chain at " +
                            to_string(logged.position.revision));
        }
    }
    return log;
}

bool Disk::remembers(const std::string& op) const {
    if (base.document.contains(op) || kept_keys.contains(op)) return true;
    const auto names_it = [&](const core::Logged& logged) {
        const auto entry = core::decode_entry(logged.body);
        return entry && !entry->changes.empty() && entry->changes.front().key == op;
    };
    return std::any_of(entries.begin(), entries.end(), names_it) ||
           std::any_of(divergence.begin(), divergence.end(), names_it);
}

}  // namespace umbra::simulation
