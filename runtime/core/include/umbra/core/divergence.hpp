#pragma once

#include <umbra/core/fact.hpp>
#include <umbra/core/merge.hpp>
#include <umbra/sdk/time.hpp>

#include <optional>
#include <string>
#include <vector>

namespace umbra::core {

/// Saved edits about which not everything is decided yet.
struct OpenDivergence {
    SavedEdits edits;
    std::vector<Fate> fates;  ///< One for each key of `edits`; empty until it was merged.
    Revision revision;        ///< The edit that merged it; 0.0 while there is none.

    /// An operator asked for the saved values of what conflicts.
    struct ByHand {
        RequestId request = 0;
        std::string author;
        Instant until{};
        bool operator==(const ByHand&) const = default;
    };
    std::optional<ByHand> by_hand;
    Instant next{};  ///< Not offered or looked at before.

    [[nodiscard]] bool pending() const { return fates.empty() || by_hand; }
    [[nodiscard]] std::size_t conflicts() const;
    /// What is to be merged now: all of it, or what conflicts.
    [[nodiscard]] SavedEdits wanted() const;
    /// Puts the fates of what was `wanted()` in their places. False, and nothing changes, when they
    /// are not as many.
    [[nodiscard]] bool decide(const std::vector<Fate>& decided);

    bool operator==(const OpenDivergence&) const = default;
};

/// How an edit that merges is called, so that merging the same again is no second edit.
[[nodiscard]] std::string merge_op_id(const std::string& divergence, bool by_hand);

/// What this node saved when it cut it, oldest first, until somebody has decided about it. Bounded:
/// what is beyond is in the files of the shell, and taken up when there is room.
///
/// Pure, copyable, comparable, as the node that owns it.
class Divergences {
public:
    static constexpr std::size_t open_max = 64;

    /// Does nothing when it is known already. False when there is no room.
    bool add(OpenDivergence divergence);
    void remove(const std::string& id);
    [[nodiscard]] OpenDivergence* find(const std::string& id);
    /// The oldest that waits to be merged and is due; null when none is.
    [[nodiscard]] OpenDivergence* due(Instant now);
    [[nodiscard]] std::vector<OpenDivergence>& list() { return list_; }
    [[nodiscard]] const std::vector<OpenDivergence>& list() const { return list_; }

    bool operator==(const Divergences&) const = default;

private:
    std::vector<OpenDivergence> list_;
};

}  // namespace umbra::core
