#include "divergence.hpp"

#include "editor.hpp"
#include "sha256.hpp"
#include <umbra/base/clock.hpp>
#include <umbra/base/durable_file.hpp>
#include <umbra/base/log.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace umbra::instance {

namespace json = boost::json;

namespace {

constexpr std::int64_t format_version = 1;
constexpr std::size_t file_bytes_max = std::size_t{256} * 1024 * 1024;
constexpr std::size_t id_bytes_max = 128;
constexpr std::string_view suffix = ".json";

using State = StoredDivergence::State;

std::string time_text(std::int64_t time_ms) {
    return base::to_rfc3339(
        std::chrono::system_clock::time_point{std::chrono::milliseconds{time_ms}});
}

// --- to JSON

std::string to_hex(const core::Hash& hash) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte byte : hash) {
        text += digits[std::to_integer<unsigned>(byte) >> 4];
        text += digits[std::to_integer<unsigned>(byte) & 15U];
    }
    return text;
}

json::value or_null(const std::optional<std::string>& text) {
    return text ? json::value(*text) : json::value(nullptr);
}

json::object to_json(const core::Position& position) {
    return {{"revision", core::to_string(position.revision)}, {"hash", to_hex(position.hash)}};
}

json::object to_json(const core::Entry& entry) {
    json::array changes;
    for (const auto& change : entry.changes) {
        changes.push_back(json::object{{"key", change.key}, {"value", or_null(change.literal)}});
    }
    return {{"revision", core::to_string(entry.revision)},
            {"author", entry.author},
            {"message", entry.message},
            {"time", time_text(entry.time_ms)},
            {"time_ms", entry.time_ms},
            {"op_id", entry.op_id},
            {"changes", std::move(changes)}};
}

json::object to_json(const StoredDivergence& d) {
    json::array entries;
    for (const auto& entry : d.entries) entries.push_back(to_json(entry));
    json::array keys;
    for (std::size_t i = 0; i < d.edits.keys.size(); ++i) {
        const auto& key = d.edits.keys[i];
        keys.push_back(
            json::object{{"key", key.key},
                         {"base", or_null(key.base)},
                         {"saved", or_null(key.saved)},
                         {"fate", d.fates.empty() ? json::value(nullptr)
                                                  : json::value(core::to_string(d.fates[i]))}});
    }
    json::array tables;
    for (const auto& table : d.edits.tables) {
        tables.push_back(
            json::object{{"name", table.name}, {"at_fork", table.at_fork}, {"saved", table.saved}});
    }
    json::array ops;
    for (const auto& op : d.edits.ops) {
        json::array op_keys;
        for (const auto& key : op.keys) op_keys.emplace_back(key);
        ops.push_back(json::object{{"op_id", op.op_id}, {"keys", std::move(op_keys)}});
    }
    auto fork = to_json(d.edits.fork);
    fork["known"] = d.edits.fork_known;
    return {{"format", format_version},
            {"id", d.edits.id},
            {"node", d.node},
            {"saved_at", d.saved_at},
            {"state", to_string(d.state)},
            {"settled_at", d.settled_at},
            {"merged_as", core::to_string(d.merged_as)},
            {"authors", d.edits.authors},
            {"fork", std::move(fork)},
            {"last", to_json(d.edits.last)},
            {"entries", std::move(entries)},
            {"keys", std::move(keys)},
            {"tables", std::move(tables)},
            {"ops", std::move(ops)}};
}

/// The last member of a file is the SHA-256 of what would be there without it.
std::string sum_of(std::string_view text) {
    return ",\"sha256\":\"" + to_hex(sha256(text)) + "\"}\n";
}

std::string with_sum(std::string text) {
    const std::string sum = sum_of(text);
    text.pop_back();
    return text + sum;
}

/// Of a file without one, nobody knows; it may be older, or mended by hand.
bool has_another_sum(std::string_view text) {
    static const std::size_t size = sum_of({}).size();
    if (text.size() < size || !text.substr(text.size() - size).starts_with(",\"sha256\":\"")) {
        return false;
    }
    const std::string before = std::string{text.substr(0, text.size() - size)} + "}";
    return text.substr(before.size() - 1) != sum_of(before);
}

// --- from JSON; what is not as it should be throws

std::string text_at(const json::object& o, std::string_view name) {
    return o.at({name.data(), name.size()}).as_string().c_str();
}

std::optional<std::string> text_or_null(const json::object& o, std::string_view name) {
    const auto& value = o.at({name.data(), name.size()});
    if (value.is_null()) return std::nullopt;
    return value.as_string().c_str();
}

core::Revision revision_at(const json::object& o, std::string_view name) {
    const auto revision = parse_revision(text_at(o, name));
    if (!revision) throw std::runtime_error("revision");
    return *revision;
}

core::Position position_of(const json::object& o) {
    core::Position position{revision_at(o, "revision"), {}};
    const auto hex = text_at(o, "hash");
    if (hex.size() != 2 * position.hash.size()) throw std::runtime_error("hash");
    for (std::size_t i = 0; i < position.hash.size(); ++i) {
        std::size_t used = 0;
        position.hash[i] = static_cast<std::byte>(std::stoul(hex.substr(2 * i, 2), &used, 16));
        if (used != 2) throw std::runtime_error("hash");
    }
    return position;
}

core::Entry entry_of(const json::object& o) {
    core::Entry entry;
    entry.revision = revision_at(o, "revision");
    entry.author = text_at(o, "author");
    entry.message = text_at(o, "message");
    entry.op_id = text_at(o, "op_id");
    entry.time_ms = o.at("time_ms").to_number<std::int64_t>();
    for (const auto& change : o.at("changes").as_array()) {
        const auto& c = change.as_object();
        entry.changes.push_back({text_at(c, "key"), text_or_null(c, "value")});
    }
    return entry;
}

core::Fate fate_of(const std::string& name) {
    for (auto i = std::uint8_t{1}; i <= static_cast<std::uint8_t>(core::fate_last); ++i) {
        if (name == core::to_string(core::Fate{i})) return core::Fate{i};
    }
    throw std::runtime_error("fate");
}

State state_of(const std::string& name) {
    for (const auto state : {State::saved, State::conflicts, State::merged, State::dropped}) {
        if (name == to_string(state)) return state;
    }
    throw std::runtime_error("state");
}

StoredDivergence from_json(const json::object& o) {
    if (o.at("format").to_number<std::int64_t>() != format_version) {
        throw std::runtime_error("format");
    }
    StoredDivergence d;
    d.edits.id = text_at(o, "id");
    d.node = text_at(o, "node");
    d.saved_at = text_at(o, "saved_at");
    d.state = state_of(text_at(o, "state"));
    d.settled_at = text_at(o, "settled_at");
    d.merged_as = revision_at(o, "merged_as");
    d.edits.authors = text_at(o, "authors");
    d.edits.fork = position_of(o.at("fork").as_object());
    d.edits.fork_known = o.at("fork").as_object().at("known").as_bool();
    d.edits.last = position_of(o.at("last").as_object());
    for (const auto& entry : o.at("entries").as_array()) {
        d.entries.push_back(entry_of(entry.as_object()));
    }
    for (const auto& key : o.at("keys").as_array()) {
        const auto& k = key.as_object();
        d.edits.keys.push_back(
            {text_at(k, "key"), text_or_null(k, "base"), text_or_null(k, "saved")});
        if (const auto fate = text_or_null(k, "fate")) d.fates.push_back(fate_of(*fate));
    }
    if (!d.fates.empty() && d.fates.size() != d.edits.keys.size()) {
        throw std::runtime_error("fates");
    }
    for (const auto& table : o.at("tables").as_array()) {
        const auto& t = table.as_object();
        d.edits.tables.push_back(
            {text_at(t, "name"), t.at("at_fork").as_bool(), t.at("saved").as_bool()});
    }
    for (const auto& op : o.at("ops").as_array()) {
        core::SavedOp saved{text_at(op.as_object(), "op_id"), {}};
        for (const auto& key : op.as_object().at("keys").as_array()) {
            saved.keys.emplace_back(key.as_string().c_str());
        }
        d.edits.ops.push_back(std::move(saved));
    }
    return d;
}

/// Ids are names of files, and users type them.
bool is_id(const std::string& id) {
    return !id.empty() && id.size() <= id_bytes_max && id.front() != '.' &&
           std::all_of(id.begin(), id.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-';
           });
}

std::optional<std::string> literal_at(const core::Document& document, const std::string& key) {
    const auto found = document.find(key);
    if (found == document.end()) return std::nullopt;
    return found->second;
}

}  // namespace

const char* to_string(State state) {
    switch (state) {
        case State::saved:
            return "saved";
        case State::conflicts:
            return "conflicts";
        case State::merged:
            return "merged";
        case State::dropped:
            return "dropped";
    }
    return "unknown";
}

std::filesystem::path DivergenceFiles::file_of(const std::string& id) const {
    return directory_ / (id + std::string{suffix});
}

Result<Done> DivergenceFiles::write(const StoredDivergence& divergence) const {
    return base::replace_file(file_of(divergence.edits.id),
                              with_sum(json::serialize(to_json(divergence))));
}

Result<Done> DivergenceFiles::save(const core::SavedEdits& edits,
                                   const std::vector<core::Logged>& entries) const {
    StoredDivergence divergence;
    divergence.edits = edits;
    divergence.node = node_;
    divergence.saved_at = base::wall_time();
    for (const auto& logged : entries) {
        if (auto entry = core::decode_entry(logged.body)) {
            divergence.entries.push_back(std::move(*entry));
        }
    }
    auto made = base::make_private_directory(directory_);
    if (made.ok()) made = write(divergence);
    if (!made.ok()) return made;
    base::warn("storage", "saved {} entries that the master does not have as {}", entries.size(),
               file_of(edits.id).string());
    forget_old();
    return Done{};
}

std::vector<std::string> DivergenceFiles::ids() const {
    std::vector<std::string> all;
    std::error_code code;
    for (const auto& file : std::filesystem::directory_iterator{directory_, code}) {
        if (file.path().extension() == suffix) all.push_back(file.path().stem().string());
    }
    std::sort(all.begin(), all.end());
    return all;
}

std::vector<std::string> DivergenceFiles::damaged() const {
    auto all = ids();
    std::erase_if(all, [this](const std::string& id) {
        const auto divergence = read(id);
        return divergence.ok() || divergence.error().code == Errc::invalid;
    });
    return all;
}

std::vector<StoredDivergence> DivergenceFiles::list() const {
    std::vector<StoredDivergence> all;
    for (const auto& id : ids()) {
        auto divergence = read(id);
        if (divergence.ok()) {
            all.push_back(std::move(*divergence));
        } else {
            base::warn("storage", "{}", divergence.error().message);
        }
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return std::tie(a.saved_at, a.edits.id) < std::tie(b.saved_at, b.edits.id);
    });
    return all;
}

Result<StoredDivergence> DivergenceFiles::read(const std::string& id) const {
    const Error unknown{Errc::invalid,
                        "there is no divergence " + id + "; see umbra config divergence list"};
    if (!is_id(id)) return unknown;
    const auto text = base::read_file(file_of(id), file_bytes_max);
    if (!text.ok()) return text.error().sys_errno == ENOENT ? unknown : text.error();
    try {
        auto divergence = from_json(json::parse(*text).as_object());
        if (divergence.edits.id == id && !has_another_sum(*text)) return divergence;
    } catch (const std::exception&) {
    }
    return Error{Errc::data_loss,
                 file_of(id).string() +
                     ": damaged, or written by another version; it is left alone. What can be read "
                     "in it can be set by hand; then move it away"};
}

Result<Done> DivergenceFiles::settle(const core::effect::SettleDivergence& outcome) const {
    auto divergence = read(outcome.id);
    if (!divergence.ok()) return divergence.error();
    divergence->fates = outcome.fates;
    divergence->merged_as = outcome.revision;
    divergence->state = outcome.resolved ? State::merged : State::conflicts;
    divergence->settled_at = base::wall_time();
    return write(*divergence);
}

Result<Done> DivergenceFiles::drop(const std::string& id) const {
    auto divergence = read(id);
    if (!divergence.ok()) return divergence.error();
    if (!divergence->open()) {
        return Error{Errc::conflict,
                     "divergence " + id + " is " + to_string(divergence->state) + " already"};
    }
    divergence->state = State::dropped;
    divergence->settled_at = base::wall_time();
    return write(*divergence);
}

void DivergenceFiles::forget_old() const {
    auto all = list();
    std::erase_if(all, [](const auto& divergence) { return divergence.open(); });
    for (std::size_t i = 0; i + resolved_kept_max < all.size(); ++i) {
        std::error_code code;
        std::filesystem::remove(file_of(all[i].edits.id), code);
    }
}

DivergenceView view_of(const StoredDivergence& d, const core::Log& log) {
    DivergenceView view;
    view.id = d.edits.id;
    view.saved_at = d.saved_at;
    view.state = to_string(d.state);
    view.settled_at = d.settled_at;
    view.fork = d.edits.fork_known ? core::to_string(d.edits.fork.revision) : "";
    if (d.merged_as != core::Revision{}) view.merged_as = core::to_string(d.merged_as);
    view.authors = d.edits.authors;
    for (const auto& entry : d.entries) {
        view.edits.push_back({core::to_string(entry.revision), time_text(entry.time_ms),
                              entry.author, entry.message, entry.changes});
    }
    // What the merge replaced is not in force any more, but it is in the history.
    std::optional<core::Document> before;
    if (d.merged_as.seq != 0) before = log.document_at(d.merged_as.seq - 1);
    for (std::size_t i = 0; i < d.edits.keys.size(); ++i) {
        const auto& key = d.edits.keys[i];
        DivergenceKey line{key.key, key.base, literal_at(log.document(), key.key), key.saved, {}};
        if (!d.fates.empty()) {
            line.fate = core::to_string(d.fates[i]);
            if (core::is_conflict(d.fates[i])) ++view.conflicts;
            if (core::is_taken(d.fates[i]) && before) line.master = literal_at(*before, key.key);
        }
        view.keys.push_back(std::move(line));
    }
    return view;
}

}  // namespace umbra::instance
