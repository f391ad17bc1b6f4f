#pragma once

#include "world.hpp"
#include <umbra/core/effect.hpp>
#include <umbra/core/log.hpp>

#include <deque>
#include <map>
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
        std::function<void(const core::Logged&)> landed;  ///< An entry is durable.
        std::function<void()> failed;                     ///< An fsync said so.
    };

    Disk(World& world, Listener listener) : world_(world), listener_(std::move(listener)) {}

    void format(core::Persistent state, std::string incarnation);
    void persist(const core::effect::Persist& write);
    void store(core::Effect write);
    /// The process is gone: a random prefix of what was under way survives, and of the first write
    /// that does not, perhaps a part.
    void crash();

    [[nodiscard]] core::Log load() const;
    /// Whether the entry is durable; true as well when a snapshot covers it.
    [[nodiscard]] bool holds(const core::Position& position) const;
    /// How often each edit is in the log, by the key that it sets.
    [[nodiscard]] std::map<std::string, std::size_t> copies() const;
    /// The edit is in the log, or was saved before it was cut.
    [[nodiscard]] bool remembers(const std::string& op) const;

    core::Persistent state;
    std::string incarnation;
    core::Position base;
    core::Document base_document;
    std::vector<core::Logged> entries;
    std::vector<core::Logged> divergence;

    // Rates, per mille of all writes.
    std::uint64_t slow = 0, failing = 0;
    /// No room for entries. The small file of the role has its place already.
    bool full = false;

private:
    void finish_persist();
    void finish_store();
    void apply(const core::Effect& write);
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
