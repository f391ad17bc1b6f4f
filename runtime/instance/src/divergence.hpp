#pragma once

#include <umbra/core/effect.hpp>
#include <umbra/core/log.hpp>
#include <umbra/core/merge.hpp>
#include <umbra/instance/control.hpp>
#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::instance {

/// What one file under divergence/ says.
struct StoredDivergence {
    enum class State : std::uint8_t {
        saved,      ///< Nobody merged it yet.
        conflicts,  ///< Merged but for what conflicts.
        merged,     ///< Resolved: all of it is in the history, or changed nothing.
        dropped,    ///< Resolved: an operator wants nothing of it.
    };

    core::SavedEdits edits;
    std::vector<core::Entry> entries;
    std::string node, saved_at, settled_at;
    State state = State::saved;
    std::vector<core::Fate> fates;  ///< One for each key of `edits`; empty before it was merged.
    core::Revision merged_as;       ///< 0.0 when no edit was needed.

    [[nodiscard]] bool open() const { return state == State::saved || state == State::conflicts; }
};

[[nodiscard]] const char* to_string(StoredDivergence::State state);

/// The files under divergence/, one for each time that this instance cut edits which the master did
/// not have. README.md holds the format. Every write is atomic and durable.
///
/// Threads: the loop's. It is rare and small, so it may hold the loop for the time of an fsync.
class DivergenceFiles {
public:
    /// Resolved ones beyond these are removed, oldest first.
    static constexpr std::size_t resolved_kept_max = 100;

    DivergenceFiles(std::filesystem::path directory, std::string node)
        : directory_(std::move(directory)), node_(std::move(node)) {}

    [[nodiscard]] Result<Done> save(const core::SavedEdits& edits,
                                    const std::vector<core::Logged>& entries) const;
    /// Oldest first. A file that cannot be read is named in the log and left alone.
    [[nodiscard]] std::vector<StoredDivergence> list() const;
    /// Ids of those that cannot be read.
    [[nodiscard]] std::vector<std::string> damaged() const;
    /// @return `invalid` when there is none of that id.
    [[nodiscard]] Result<StoredDivergence> read(const std::string& id) const;
    [[nodiscard]] Result<Done> settle(const core::effect::SettleDivergence& outcome) const;
    [[nodiscard]] Result<Done> drop(const std::string& id) const;

private:
    [[nodiscard]] std::vector<std::string> ids() const;
    [[nodiscard]] std::filesystem::path file_of(const std::string& id) const;
    [[nodiscard]] Result<Done> write(const StoredDivergence& divergence) const;
    void forget_old() const;

    std::filesystem::path directory_;
    std::string node_;
};

/// As `umbra config divergence show` shows it. @param log  What the master has now.
[[nodiscard]] DivergenceView view_of(const StoredDivergence& divergence, const core::Log& log);

}  // namespace umbra::instance
