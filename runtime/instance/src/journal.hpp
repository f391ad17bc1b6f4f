#pragma once

#include "worker.hpp"
#include <umbra/core/effect.hpp>
#include <umbra/instance/control.hpp>
#include <umbra/sdk/result.hpp>

#include <cstddef>
#include <deque>
#include <filesystem>
#include <vector>

namespace umbra::instance {

/// The decisions of this instance about its role, and those against a change: what `umbra explain`
/// shows. Kept across restarts in `decisions.jsonl` of the data directory, one JSON object a line,
/// the newest last.
///
/// It is for people, so it is written behind the decision and not synced: after a loss of power the
/// last lines may be missing, and a file that cannot be read or written costs a line in the log.
///
/// Threads: the loop's; the file is written by the worker.
class Journal {
public:
    static constexpr std::size_t kept = 500;
    /// Past this size the file is made anew from the newest `kept` lines.
    static constexpr std::size_t file_bytes_max = 512 * 1024;

    /// The worker outlives the journal.
    Journal(std::filesystem::path data_dir, Worker& worker);

    void add(core::Epoch epoch, const core::effect::Explain& decision);
    /// Newest first, at most `max`.
    [[nodiscard]] std::vector<Decision> newest(std::size_t max) const;
    /// "2026-01-31T12:00:00.123Z text" of the newest change of role; empty when there was none.
    [[nodiscard]] const std::string& last_change() const { return last_change_; }

private:
    void load();
    void remember(Decision decision);

    std::filesystem::path file_;
    Worker& worker_;
    std::deque<Decision> decisions_;
    std::string last_change_;
    std::size_t file_bytes_ = 0;
};

}  // namespace umbra::instance
