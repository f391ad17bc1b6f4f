#include "editor.hpp"

#include "sha256.hpp"
#include <umbra/base/clock.hpp>
#include <umbra/config/shared_config.hpp>
#include <umbra/config/shared_document.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>
#include <utility>

namespace umbra::instance {

namespace {

constexpr std::size_t text_bytes_max = 4096;  ///< Author and message of an edit.
constexpr std::size_t op_id_bytes_max = 128;

Reply invalid(std::string message, std::vector<std::string> details = {}) {
    return {Outcome::invalid, std::move(message), std::move(details), {}, {}};
}

Reply invalid(const config::Problems& problems) {
    return invalid("the configuration would not be valid", problems.lines());
}

/// A revision that a user named, with the configuration as it was then.
struct Point {
    core::Revision revision;
    core::Document document;
};

/// What there is instead of a revision that is not.
std::string kept_revisions(const core::Log& log) {
    return "the revisions " + core::to_string(log.base().revision) + " to " +
           core::to_string(log.last().revision) + " are kept";
}

std::variant<Point, Reply> find_revision(const core::Log& log, const std::string& text) {
    const auto parsed = parse_revision(text);
    if (!parsed) return invalid("\"" + text + "\" is not a revision; one looks like 3.41");
    if (parsed->seq < log.base().revision.seq) {
        return invalid("revision " + text + " is not kept any more; " + kept_revisions(log));
    }
    const auto place = log.position_at(parsed->seq);
    auto found = log.document_at(parsed->seq);
    if (!place || !found || place->revision != *parsed) {
        return invalid("there is no revision " + text + " in the history; " + kept_revisions(log));
    }
    return Point{*parsed, std::move(*found)};
}

/// What an edit makes of the document, or of the part that it can make invalid.
struct Effect {
    core::Document before;
    core::Document after;
};

/// Which of two values was meant, nobody knows; TOML takes no key twice either.
std::optional<Reply> refuse_doubles(const Edit& edit) {
    std::set<std::string> seen;
    for (const auto& change : edit.changes) {
        const auto key = config::canonical_key(change.key);
        if (key.ok() && !seen.insert(*key).second) {
            return invalid(*key + " is there twice in one edit; name it once");
        }
    }
    return std::nullopt;
}

std::optional<Reply> apply_changes(core::Document& document, const Edit& edit) {
    for (const auto& change : edit.changes) {
        const auto made = change.literal
                              ? config::set_changes(document, change.key, *change.literal)
                              : config::unset_changes(document, change.key);
        if (!made.ok()) return invalid(made.error().message);
        core::apply(document, *made);
    }
    return std::nullopt;
}

/// What has to be judged with the changes; so that an edit of a large configuration costs as much
/// as one of a small. Nothing where only the whole document tells.
std::optional<core::Document> part_of(const core::Document& document, const Edit& edit) {
    core::Document part;
    for (const auto& change : edit.changes) {
        const auto key = config::canonical_key(change.key);
        const auto roots =
            key.ok() ? config::judged_with(*key, !change.literal) : std::vector<std::string>{};
        if (roots.empty()) return std::nullopt;
        for (const auto& root : roots) {
            auto below = config::subset(document, root);
            if (below.empty() && root == roots.front()) return std::nullopt;
            part.merge(below);
        }
    }
    return part;
}

std::variant<Effect, Reply> effect_of_changes(const Edit& edit, const core::Document& document,
                                              const config::PluginCatalog& catalog) {
    auto part = part_of(document, edit);
    Effect effect{part ? std::move(*part) : document, {}};
    effect.after = effect.before;
    if (auto wrong = apply_changes(effect.after, edit)) return std::move(*wrong);
    const auto load = config::read_shared(effect.after, catalog);
    if (!load.config) return invalid(load.problems);
    return effect;
}

std::variant<Effect, Reply> effect_of(const Edit& edit, const core::Log& log,
                                      const config::PluginCatalog& catalog) {
    if (!edit.rollback_to.empty()) {
        auto point = find_revision(log, edit.rollback_to);
        if (auto* reply = std::get_if<Reply>(&point)) return std::move(*reply);
        auto& then = std::get<Point>(point).document;
        // What was valid then need not be today: plugins and their schemas change.
        const auto load = config::read_shared(then, catalog);
        if (!load.config) return invalid(load.problems);
        return Effect{log.document(), std::move(then)};
    }
    if (edit.document) {
        const auto name = edit.document_name.empty() ? std::string{"input"} : edit.document_name;
        auto load = config::load_shared(config::Source::from_text(*edit.document, name), catalog);
        if (!load.document) return invalid(load.problems);
        // What a generator wrote that failed, rather than somebody's wish.
        if (load.document->empty() && !log.document().empty()) {
            return invalid(name +
                           " sets no key, so that applying it would remove everything; if "
                           "that is meant, use umbra config unset for each table");
        }
        return Effect{log.document(), std::move(*load.document)};
    }
    if (auto twice = refuse_doubles(edit)) return std::move(*twice);
    return effect_of_changes(edit, log.document(), catalog);
}

}  // namespace

std::variant<CheckedEdit, Reply> check_edit(const Edit& edit, const core::Log& log,
                                            const config::PluginCatalog& catalog) {
    const core::Revision revision = log.last().revision;
    if (edit.author.size() > text_bytes_max || edit.message.size() > text_bytes_max) {
        return invalid("author and message may have at most " + std::to_string(text_bytes_max) +
                       " bytes each");
    }
    if (edit.op_id.size() > op_id_bytes_max) {
        return invalid("an operation id may have at most " + std::to_string(op_id_bytes_max) +
                       " bytes");
    }
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    if (std::any_of(edit.op_id.begin(), edit.op_id.end(), is_control)) {
        return invalid("an operation id is one line without tabs and other control characters");
    }
    if (!edit.if_revision.empty()) {
        const auto only_at = parse_revision(edit.if_revision);
        if (!only_at) {
            return invalid("\"" + edit.if_revision + "\" is not a revision; one looks like 3.41");
        }
        // Before anything else is judged: a conflict stays one if nothing would change as well.
        if (*only_at != revision) {
            return Reply{Outcome::refused, core::revision_conflict(revision, *only_at), {}, {}, {}};
        }
    }
    auto result = effect_of(edit, log, catalog);
    if (auto* reply = std::get_if<Reply>(&result)) return std::move(*reply);
    const auto& [before, after] = std::get<Effect>(result);
    CheckedEdit checked;
    checked.diff = config::diff_text(before, after);
    checked.entry.changes = core::difference(before, after);
    if (checked.entry.changes.empty()) {
        return Reply{Outcome::done, "nothing to change", {}, {}, core::to_string(revision)};
    }
    if (edit.dry_run) return Reply{Outcome::done, "not applied", {}, checked.diff, {}};
    checked.entry.op_id = edit.op_id.empty() ? random_hex(16) : edit.op_id;
    checked.entry.author = edit.author;
    checked.entry.message = edit.message;
    if (!edit.rollback_to.empty()) {
        checked.entry.message =
            "rollback to " + edit.rollback_to + (edit.message.empty() ? "" : ": " + edit.message);
    }
    checked.entry.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count();
    if (core::bytes_at_most(checked.entry) > core::Log::entry_bytes_max &&
        core::encode(checked.entry).size() > core::Log::entry_bytes_max) {
        return invalid("this edit is larger than " + std::to_string(core::Log::entry_bytes_max) +
                       " bytes; " +
                       (edit.rollback_to.empty()
                            ? "split it into several"
                            : "roll back to a revision between first, which changes less"));
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
        auto point = find_revision(log, revision);
        if (auto* reply = std::get_if<Reply>(&point)) return std::move(*reply);
        document = std::move(std::get<Point>(point).document);
        at = std::get<Point>(point).revision;
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

std::pair<Reply, Comparison> diff(const core::Log& log, const std::string& from,
                                  const std::string& to) {
    auto end = to.empty() ? Point{log.last().revision, log.document()} : find_revision(log, to);
    if (auto* reply = std::get_if<Reply>(&end)) return {std::move(*reply), {}};
    const auto& after = std::get<Point>(end);
    std::variant<Point, Reply> start = after;
    if (!from.empty()) {
        start = find_revision(log, from);
    } else if (after.revision == log.base().revision && after.revision.seq != 0) {
        return {invalid("what revision " + core::to_string(after.revision) +
                        " changed is not kept any more; " + kept_revisions(log)),
                {}};
    } else if (const auto before = log.position_at(after.revision.seq - 1)) {
        start = Point{before->revision, *log.document_at(before->revision.seq)};
    }
    if (auto* reply = std::get_if<Reply>(&start)) return {std::move(*reply), {}};
    const auto& before = std::get<Point>(start);
    Comparison result{core::to_string(before.revision), core::to_string(after.revision), {}};
    for (const auto& change : core::difference(before.document, after.document)) {
        const auto old = before.document.find(change.key);
        result.keys.push_back(
            {change.key, old == before.document.end() ? std::nullopt : std::optional{old->second},
             change.literal});
    }
    return {
        Reply{Outcome::done, {}, {}, config::diff_text(before.document, after.document), result.to},
        std::move(result)};
}

std::string history_note(const core::Log& log, std::size_t shown) {
    if (shown < log.entries().size()) {
        const std::size_t more = log.entries().size() - shown;
        return std::to_string(more) + (more == 1 ? " older edit is" : " older edits are") +
               " kept; --max shows more";
    }
    if (log.base().revision.seq == 0) return {};
    return "what came before is not kept any more; " + kept_revisions(log);
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
