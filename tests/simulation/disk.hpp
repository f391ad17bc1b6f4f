#pragma once

#include "world.hpp"
#include <umbra/core/effect.hpp>
#include <umbra/core/log.hpp>

#include <deque>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace umbra::simulation {

/// What survives a crash of one instance, and what is on its way there.
class Disk {
public:
    struct Listener {
        std::function<void(std::uint64_t version)> persisted;
        std::function<void(std::uint64_t op)> stored;
        std::function<void(const core::Logged&)> written;  ///< An entry was made or taken over.
        std::function<void(const core::Logged&)> landed;   ///< It is durable.
        std::function<void()> failed;                      ///< An fsync said so.
    };

    Disk(World& world, Listener listener) : world_(world), listener_(std::move(listener)) {}

    void format(core::Persistent state, std::string incarnation);
    void persist(const core::effect::Persist& write);
    void store(core::Effect write);
    /// The process is gone: a random prefix of what was under way survives, and of the first write
    /// that does not, perhaps a part.
    void crash();

    [[nodiscard]] core::Log load() const;
    [[nodiscard]] const core::Position& last() const {
        return entries.empty() ? base.position : entries.back().position;
    }
    /// A value in the snapshot changes, and nothing says so. @pre there is one
    void rot();
    /// The edit is in the log, or was saved before it was cut.
    [[nodiscard]] bool remembers(const std::string& op) const;

    core::Persistent state;
    std::string incarnation;
    core::Snapshot base;
    std::vector<core::Logged> entries;
    std::vector<core::Logged> divergence;
    std::set<std::string> kept_keys;  ///< Saved without entries: they were compacted before.

    // Rates, per mille of all writes.
    std::uint64_t slow = 0, failing = 0;
    /// No room for entries. The small file of the role has its place already.
    bool full = false;

private:
    void finish_persist();
    void finish_store();
    void apply(const core::Effect& write);
    void append(const core::effect::Append& write);
    void cut(const core::effect::Truncate& write);
    void compact(const core::effect::Compact& write);
    [[nodiscard]] core::Snapshot read(const core::Position& position,
                                      const std::string& body) const;
    void tear(const core::Logged& half);
    [[nodiscard]] bool fsync_fails();
    [[nodiscard]] static std::uint64_t op_of(const core::Effect& write);
    [[nodiscard]] Duration delay();

    World& world_;
    Listener listener_;
    std::deque<core::effect::Persist> persisting_;
    std::deque<core::Effect> storing_;
    Instant persist_free_{}, store_free_{};
    std::uint64_t life_ = 0;
    bool failed_ = false;  ///< Nothing is written any more until the process is gone.
};

}  // namespace umbra::simulation
