#pragma once

#include <umbra/config/catalog.hpp>
#include <umbra/core/log.hpp>
#include <umbra/instance/control.hpp>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace umbra::instance {

/// An edit that may be committed.
struct CheckedEdit {
    core::Entry entry;
    std::string diff;
};

/// Turns what a user asked for into an entry, validated against the schemas of the plugins that the
/// result names; or into the answer that says what is wrong, or that nothing would change.
/// @param log  What the edit is made against, and where a rollback finds what it goes back to.
[[nodiscard]] std::variant<CheckedEdit, Reply> check_edit(const Edit& edit, const core::Log& log,
                                                          const config::PluginCatalog& catalog);

/// "3.41" -> revision.
[[nodiscard]] std::optional<core::Revision> parse_revision(const std::string& text);

/// `umbra config show|get`: TOML of what stands at `key`, as of `revision`.
[[nodiscard]] Reply show(const core::Log& log, const std::string& key, const std::string& revision);

/// `umbra config diff`, see `Control::diff`.
[[nodiscard]] std::pair<Reply, Comparison> diff(const core::Log& log, const std::string& from,
                                                const std::string& to);

/// Newest first.
[[nodiscard]] std::vector<HistoryEntry> history(const core::Log& log, std::size_t max);
/// For who has seen the newest `shown` edits and might look for more: how many older ones there
/// are, or where the history begins; empty when there never were any.
[[nodiscard]] std::string history_note(const core::Log& log, std::size_t shown);

}  // namespace umbra::instance
