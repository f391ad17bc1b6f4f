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
    base_document.clear();
    entries.clear();
    divergence.clear();
    persisting_.clear();
    storing_.clear();
}

Duration Disk::delay() {
    if (world_.random.chance(slow_per_mille)) {
        world_.count("fault: slow disk");
        return world_.random.between(50ms, 900ms);
    }
    return world_.random.between(100us, 8ms);
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
        if (life != life_) return;
        const auto done = persisting_.front();
        persisting_.pop_front();
        state = done.state;
        if (!world_.is(Mutant::epoch_not_persisted)) listener_.persisted(done.version);
    });
}

std::uint64_t Disk::op_of(const core::Effect& write) {
    if (const auto* append = std::get_if<effect::Append>(&write)) return append->op;
    if (const auto* cut = std::get_if<effect::Truncate>(&write)) return cut->op;
    return std::get<effect::Install>(write).op;
}

void Disk::store(core::Effect write) {
    // What is lost is saved first, at once: the shell holds its loop for it.
    if (const auto* cut = std::get_if<effect::Truncate>(&write)) {
        divergence.insert(divergence.end(), cut->saved.begin(), cut->saved.end());
    } else if (const auto* install = std::get_if<effect::Install>(&write)) {
        divergence.insert(divergence.end(), install->saved.begin(), install->saved.end());
    }
    const bool lies = world_.is(Mutant::shadow_lies_about_disk);
    if (lies) {
        world_.after(0ns, [this, life = life_, op = op_of(write)] {
            if (life == life_) listener_.stored(op);
        });
    }
    storing_.push_back(std::move(write));
    store_free_ = std::max(store_free_, world_.now()) + delay();
    world_.after(store_free_ - world_.now(), [this, lies, life = life_] {
        if (life != life_) return;
        const auto done = std::move(storing_.front());
        storing_.pop_front();
        apply(done);
        if (!lies) listener_.stored(op_of(done));
    });
}

void Disk::apply(const core::Effect& write) {
    if (const auto* append = std::get_if<effect::Append>(&write)) {
        for (const auto& logged : append->entries) {
            const auto next = base.revision.seq + entries.size() + 1;
            if (logged.position.revision.seq != next) {
                throw Violation("the disk was told to append entry " +
                                to_string(logged.position.revision) + " where " +
                                std::to_string(next) + " is next");
            }
            entries.push_back(logged);
            listener_.landed(logged);
        }
    } else if (const auto* cut = std::get_if<effect::Truncate>(&write)) {
        const auto keep = static_cast<std::size_t>(cut->seq - base.revision.seq);
        for (std::size_t i = keep; i < entries.size(); ++i) {
            const bool saved =
                std::find(divergence.begin(), divergence.end(), entries[i]) != divergence.end();
            if (!saved) throw Violation("an entry was cut that was not saved");
        }
        if (keep < entries.size()) world_.count("transition: fork cut");
        entries.resize(std::min(keep, entries.size()));
    } else if (const auto* install = std::get_if<effect::Install>(&write)) {
        world_.count("transition: snapshot installed");
        world_.trace(incarnation,
                     "installs the snapshot of " + to_string(install->position.revision));
        base = install->position;
        base_document = install->document;
        entries.clear();
    }
}

void Disk::crash() {
    ++life_;
    bool survives = true;
    for (const auto& write : std::exchange(persisting_, {})) {
        survives = survives && world_.random.chance(500);
        if (survives) state = write.state;
        if (!survives) world_.count("fault: unsynced state lost");
    }
    survives = true;
    for (auto& write : std::exchange(storing_, {})) {
        survives = survives && world_.random.chance(500);
        if (!survives) {
            world_.count("fault: unsynced entries lost");
            // Of the last append a part may be there.
            if (auto* append = std::get_if<effect::Append>(&write)) {
                append->entries.resize(
                    static_cast<std::size_t>(world_.random.below(append->entries.size() + 1)));
                apply(*append);
            }
            break;
        }
        apply(write);
    }
    persist_free_ = store_free_ = world_.now();
}

core::Log Disk::load() const {
    core::Log log(&quick_hash);
    if (base.revision.seq != 0) log.install(base, base_document);
    for (const auto& logged : entries) {
        if (!log.push(logged.body) || log.last() != logged.position) {
            throw Violation("the log on disk does not chain at " +
                            to_string(logged.position.revision));
        }
    }
    return log;
}

bool Disk::holds(const core::Position& position) const {
    const auto seq = position.revision.seq;
    if (seq < base.revision.seq) return true;
    if (seq == base.revision.seq) return base == position;
    const auto index = seq - base.revision.seq - 1;
    return index < entries.size() && entries[index].position == position;
}

std::map<std::string, std::size_t> Disk::copies() const {
    std::map<std::string, std::size_t> found;
    for (const auto& logged : entries) {
        const auto entry = core::decode_entry(logged.body);
        if (entry && !entry->changes.empty()) ++found[entry->changes.front().key];
    }
    return found;
}

}  // namespace umbra::simulation
