#include "editor.hpp"

#include "sha256.hpp"
#include <umbra/base/clock.hpp>
#include <umbra/config/shared_config.hpp>
#include <umbra/config/shared_document.hpp>

#include <charconv>
#include <chrono>
#include <utility>

namespace umbra::instance {

namespace {

constexpr std::size_t text_bytes_max = 4096;      ///< Author and message of an edit.
constexpr std::size_t entry_bytes_max = 800'000;  ///< One entry has to fit into one message.

Reply invalid(std::string message, std::vector<std::string> details = {}) {
    return {Outcome::invalid, std::move(message), std::move(details), {}, {}};
}

Reply invalid(const config::Problems& problems) {
    return invalid("the configuration would not be valid", problems.lines());
}

/// The document that the edit asks for.
std::variant<core::Document, Reply> wanted(const Edit& edit, const core::Document& document,
                                           const config::PluginCatalog& catalog) {
    if (edit.document) {
        const auto name = edit.document_name.empty() ? std::string{"input"} : edit.document_name;
        auto load = config::load_shared(config::Source::from_text(*edit.document, name), catalog);
        if (!load.document) return invalid(load.problems);
        return std::move(*load.document);
    }
    core::Document result = document;
    for (const auto& change : edit.changes) {
        const auto made = change.literal ? config::set_changes(result, change.key, *change.literal)
                                         : config::unset_changes(result, change.key);
        if (!made.ok()) return invalid(made.error().message);
        core::apply(result, *made);
    }
    const auto load = config::read_shared(result, catalog);
    if (!load.config) return invalid(load.problems);
    return result;
}

}  // namespace

std::variant<CheckedEdit, Reply> check_edit(const Edit& edit, const core::Document& document,
                                            core::Revision revision,
                                            const config::PluginCatalog& catalog) {
    if (edit.author.size() > text_bytes_max || edit.message.size() > text_bytes_max) {
        return invalid("author and message may have at most " + std::to_string(text_bytes_max) +
                       " bytes each");
    }
    if (!edit.if_revision.empty() && !parse_revision(edit.if_revision)) {
        return invalid("\"" + edit.if_revision + "\" is not a revision; one looks like 3.41");
    }
    auto result = wanted(edit, document, catalog);
    if (auto* reply = std::get_if<Reply>(&result)) return std::move(*reply);
    const auto& target = std::get<core::Document>(result);
    CheckedEdit checked;
    checked.diff = config::diff_text(document, target);
    checked.entry.changes = core::difference(document, target);
    if (checked.entry.changes.empty()) {
        return Reply{Outcome::done, "nothing to change", {}, {}, core::to_string(revision)};
    }
    if (edit.dry_run) return Reply{Outcome::done, "not applied", {}, checked.diff, {}};
    checked.entry.op_id = edit.op_id.empty() ? random_hex(16) : edit.op_id;
    checked.entry.author = edit.author;
    checked.entry.message = edit.message;
    checked.entry.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count();
    if (core::encode(checked.entry).size() > entry_bytes_max) {
        return invalid("this edit is larger than " + std::to_string(entry_bytes_max) +
                       " bytes; split it into several");
    }
    return checked;
}

std::optional<core::Revision> parse_revision(const std::string& text) {
    core::Revision revision;
    const char* end = text.data() + text.size();
    const auto epoch = std::from_chars(text.data(), end, revision.epoch);
    if (epoch.ec != std::errc{} || epoch.ptr == end || *epoch.ptr != '.') return std::nullopt;
    const auto seq = std::from_chars(epoch.ptr + 1, end, revision.seq);
    if (seq.ec != std::errc{} || seq.ptr != end) return std::nullopt;
    return revision;
}

Reply show(const core::Log& log, const std::string& key, const std::string& revision) {
    core::Document document = log.document();
    core::Revision at = log.last().revision;
    if (!revision.empty()) {
        const auto parsed = parse_revision(revision);
        if (!parsed) return invalid("\"" + revision + "\" is not a revision; one looks like 3.41");
        const auto place = log.position_at(parsed->seq);
        const auto found = log.document_at(parsed->seq);
        if (!place || !found || place->revision != *parsed) {
            return invalid("there is no revision " + revision + " in the history");
        }
        document = *found;
        at = *parsed;
    }
    if (key.empty()) return {Outcome::done, {}, {}, config::to_toml(document), core::to_string(at)};
    const auto canonical = config::canonical_key(key);
    if (!canonical.ok()) return invalid(canonical.error().message);
    if (const auto value = document.find(*canonical); value != document.end()) {
        return {Outcome::done, {}, {}, value->second + "\n", core::to_string(at)};
    }
    const auto below = config::subset(document, *canonical);
    if (below.empty()) {
        std::vector<std::string> known;
        for (const auto& [name, literal] : document) known.push_back(name);
        const auto near = config::nearest_name(*canonical, known);
        return invalid("there is nothing at " + *canonical +
                       (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    return {Outcome::done, {}, {}, config::to_toml(below), core::to_string(at)};
}

std::vector<HistoryEntry> history(const core::Log& log, std::size_t max) {
    std::vector<HistoryEntry> list;
    for (auto it = log.entries().rbegin(); it != log.entries().rend() && list.size() < max; ++it) {
        auto entry = core::decode_entry(it->body);
        if (!entry) continue;
        const std::chrono::system_clock::time_point time{std::chrono::milliseconds{entry->time_ms}};
        list.push_back({core::to_string(entry->revision), base::to_rfc3339(time),
                        std::move(entry->author), std::move(entry->message),
                        std::move(entry->changes)});
    }
    return list;
}

}  // namespace umbra::instance
