#pragma once

#include "world.hpp"
#include <umbra/core/log.hpp>
#include <umbra/gateway/register.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>

namespace umbra::simulation {

class Instance;

/// The invariants, named as in the reliability programme. Everything is told as it happens; what
/// does not hold is thrown as a `Violation`.
class Checker {
public:
    /// A change of holder on its way to the register's disk, with what the gateway knew.
    struct Granting {
        gateway::Record before, after;
        gateway::ClaimReason reason;
        bool holder_silent;  ///< No link, or nothing heard for the lease.
        bool consented;
    };

    /// An edit as its editor saw it.
    struct Edit {
        std::string op;
        std::optional<core::Revision> base;  ///< It was to follow this revision.
        core::Revision known;                ///< Highest acknowledged when it was asked for.
        bool first = true;                   ///< Nobody had asked for it before.
    };

    /// @param fenced  A gateway arbitrates. Else P8-P11 hold in place of S1, S3, S5 and S7.
    Checker(World& world, std::array<Instance*, 2>& instances, bool fenced)
        : world_(world), instances_(instances), fenced_(fenced) {}

    // S2, S9, S13: after every event.
    void look();

    // S1: of the traffic that the gateway routes.
    void accepted(std::size_t node, const std::string& incarnation, core::Epoch epoch);
    // S2: an instance speaks or serves under an epoch.
    void acts(const Instance& instance, core::Epoch epoch);
    // S2, S7, S8: the register changes hands.
    void granting(const Granting& grant);
    void granted(const gateway::Record& before, const gateway::Record& after);
    // An entry is on its way to a disk: from here on it is known what came before it.
    void written(const core::Logged& logged);
    // S5: an entry is durable somewhere.
    void landed(const core::Logged& logged);
    // S3, S4, S6: an edit was acknowledged as durable.
    void acknowledged(const Instance& master, const Edit& edit, core::Revision revision,
                      const gateway::Record& record);
    // S15: entries make way for a snapshot; an instance takes over that of its master.
    void compacts(const Instance& instance, const core::Position& position,
                  const gateway::Record& record) const;
    void installs(const Instance& instance, const core::Position& position,
                  const gateway::Record& record) const;
    // S16: an instance wants to be master.
    void claims(const Instance& instance, ClaimReason reason) const;
    // P11: an instance serves and nobody granted it that.
    void serves_unasked(const Instance& instance);
    // P8, P9: a shadow made itself master.
    void promoted(const Instance& instance);

    /// Something happened that can move the role away from this node, or to the other one.
    void disturbed(std::size_t node) { disturbed_[node] = world_.now(); }
    void disturbed() { disturbed_[alpha] = disturbed_[beta] = world_.now(); }
    /// From here on edits may be lost: an operator decided so, or a disk was lost that held them.
    void operator_gave_up_edits() {
        gave_up_ = true;
        acknowledged_.clear();
        bases_.clear();
        highest_ = {};
    }
    void record_was_lost() { record_lost_ = true; }

    /// S3 for one node: whatever was acknowledged is in its log, once.
    void holds_everything(const Instance& instance) const;
    /// Where nobody arbitrates an edit can end beside the log, but never nowhere.
    void nothing_vanished() const;
    [[nodiscard]] core::Revision highest_acknowledged() const { return highest_; }
    [[nodiscard]] std::uint64_t grants() const { return grants_; }

private:
    /// An entry as part of a history.
    struct Link {
        core::Hash before{};
        core::Revision revision;
        std::vector<std::string> keys;
    };
    struct Acknowledged {
        std::string op;
        core::Position position;
    };
    /// Longest time from a cause to the change of holder it leads to.
    static constexpr Duration aftermath{std::chrono::seconds{8}};

    /// Whether the history that ends at `last` has `position`, whatever snapshots cover of it.
    [[nodiscard]] bool leads_to(const core::Position& last, const core::Position& position) const;
    template <class F>
    void walk_back(const core::Position& last, F visit) const;
    void look_at(const Instance& instance);
    void look_at_pair();

    World& world_;
    std::array<Instance*, 2>& instances_;
    core::Epoch routed_ = 0;
    std::map<core::Epoch, std::string> server_;
    core::Epoch granted_ = 0;
    core::Epoch given_up_below_ = 0;
    std::map<core::Revision, core::Hash> hashes_;
    std::set<core::Revision> merges_;  ///< Of edits that a fork had cut.
    std::map<std::uint64_t, Acknowledged> acknowledged_;
    std::set<std::string> done_;
    std::map<core::Revision, std::string> bases_;
    std::array<Instant, 2> disturbed_{};
    bool record_lost_ = false;
    bool gave_up_ = false;
    std::map<core::Hash, Link> links_;
    const bool fenced_;
    core::Revision highest_;
    std::uint64_t grants_ = 0;
    /// Both believe that they are active; and both hear the gateway meanwhile.
    std::optional<Instant> both_since_, both_heard_since_;
};

}  // namespace umbra::simulation
