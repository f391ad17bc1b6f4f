#include "commands.hpp"
#include "config_document.hpp"
#include "table.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/config/problem.hpp>
#include <umbra/config/shared_document.hpp>
#include <umbra/config/source.hpp>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <iostream>
#include <optional>
#include <utility>
#include <variant>

namespace umbra::cli {
namespace {

namespace json = boost::json;

/// JSON carries nothing but UTF-8. @return Exit status 2, said, or nothing.
std::optional<int> refuse_other_encodings(std::string_view what, std::string_view text) {
    const std::size_t good = config::utf8_prefix(text);
    if (good == text.size()) return std::nullopt;
    return fail(exit_usage, fmt::format("{} is not valid UTF-8: byte 0x{:02x} after \"{}\"", what,
                                        static_cast<unsigned char>(text[good]),
                                        printable(text.substr(0, good))));
}

std::optional<int> refuse_other_encodings(const EditOptions& options) {
    const std::pair<const char*, const std::string*> all[] = {
        {"--message", &options.message},
        {"--author", &options.author},
        {"--op-id", &options.op_id},
    };
    for (const auto& [name, text] : all) {
        if (const auto status = refuse_other_encodings(name, *text)) return status;
    }
    return std::nullopt;
}

void add_options(json::object& body, const EditOptions& options) {
    if (!options.message.empty()) body["message"] = options.message;
    if (!options.author.empty()) body["author"] = options.author;
    if (!options.if_revision.empty()) body["if_revision"] = options.if_revision;
    if (!options.op_id.empty()) body["op_id"] = options.op_id;
    if (options.dry_run) body["dry_run"] = true;
}

int send_changes(const Connection& connection, const std::vector<core::Change>& changes,
                 const EditOptions& options) {
    if (const auto status = refuse_other_encodings(options)) return *status;
    json::array list;
    for (const core::Change& change : changes) {
        const auto value = change.literal.value_or("");
        if (const auto status = refuse_other_encodings("a key", change.key)) return *status;
        if (const auto status = refuse_other_encodings(change.key, value)) return *status;
        list.push_back(json::object{
            {"key", change.key},
            {"value", change.literal ? json::value(*change.literal) : json::value(nullptr)}});
    }
    json::object body{{"changes", std::move(list)}};
    add_options(body, options);
    return post_and_show(connection, "/v1/config/edit", body);
}

/// @param max  Ends a stream that never does.
Result<std::string> read_stdin(std::size_t max) {
    std::string text(max, '\0');
    std::cin.read(text.data(), static_cast<std::streamsize>(max));
    text.resize(static_cast<std::size_t>(std::cin.gcount()));
    return text;
}

}  // namespace

std::variant<std::vector<core::Change>, int> changes_of(const std::vector<std::string>& pairs) {
    std::vector<core::Change> changes;
    for (const std::string& pair : pairs) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(exit_usage, fmt::format("\"{}\" is not KEY=VALUE", pair));
        }
        changes.push_back({pair.substr(0, equals), pair.substr(equals + 1)});
    }
    return changes;
}

std::variant<core::Document, int> fetch_document(const Connection& connection,
                                                 const std::string& revision) {
    std::string target = "/v1/config";
    if (!revision.empty()) target += "?revision=" + percent_encode(revision);
    const Answer answer = get(connection, target);
    if (!answer.ok()) return answer.report();
    config::Problems problems;
    const auto source = config::Source::from_text(text_of(answer.body, "text"), "configuration");
    auto parsed = config::parse_document(source, problems);
    if (!parsed || !problems.empty()) {
        return fail(exit_failed, "the configuration that the instance sent cannot be read",
                    problems.lines());
    }
    return std::move(parsed->document);
}

int config_show(const Connection& connection, const std::string& key, const std::string& revision) {
    std::string canonical;
    if (!key.empty()) {
        auto parsed = config::canonical_key(key);
        if (!parsed) return fail(exit_usage, parsed.error().message);
        canonical = *parsed;
    }
    auto fetched = fetch_document(connection, revision);
    if (const int* const status = std::get_if<int>(&fetched)) return *status;
    const core::Document part = config::subset(std::get<core::Document>(fetched), canonical);
    if (!key.empty() && part.empty()) {
        return fail(exit_failed, fmt::format("there is no key {} in the configuration", key));
    }
    const std::string text = connection.json ? config::to_json(part) : config::to_toml(part);
    if (!text.empty()) print_line(text);
    return exit_done;
}

int config_get(const Connection& connection, const std::string& key) {
    const auto canonical = config::canonical_key(key);
    if (!canonical) return fail(exit_usage, canonical.error().message);
    auto fetched = fetch_document(connection, "");
    if (const int* const status = std::get_if<int>(&fetched)) return *status;
    const auto& document = std::get<core::Document>(fetched);
    const auto found = document.find(*canonical);
    if (found == document.end()) {
        if (config::subset(document, *canonical).empty()) {
            return fail(exit_failed, fmt::format("there is no key {} in the configuration", key));
        }
        return fail(exit_failed, fmt::format("{} is a table, not a value: see it with "
                                             "\"umbra config show {}\"",
                                             key, key));
    }
    // As a document of its own, so that one writer of values serves both forms.
    config::Problems problems;
    const config::Node tree = config::to_tree({{"value", found->second}}, problems);
    const config::Entry* const entry = tree.find("value");
    if (entry == nullptr || !problems.empty()) {
        return fail(exit_failed, "the value that the instance sent cannot be read",
                    problems.lines());
    }
    if (connection.json) {
        print_line(config::to_json({{"value", found->second}}));
    } else {
        const bool text = entry->value.kind == config::Node::Kind::string;
        print_line(text ? entry->value.text : found->second);
    }
    return exit_done;
}

int config_set(const Connection& connection, const std::vector<std::string>& pairs,
               const EditOptions& options) {
    // As typed: what is a literal and what a string, the instance decides against the configuration
    // that it edits, which may be another one than we could have fetched before.
    const auto changes = changes_of(pairs);
    if (const int* const status = std::get_if<int>(&changes)) return *status;
    return send_changes(connection, std::get<std::vector<core::Change>>(changes), options);
}

int config_unset(const Connection& connection, const std::vector<std::string>& keys,
                 const EditOptions& options) {
    std::vector<core::Change> changes;
    for (const std::string& key : keys) changes.push_back({key, std::nullopt});
    return send_changes(connection, changes, options);
}

int config_apply(const Connection& connection, const std::string& file,
                 const EditOptions& options) {
    if (const auto status = refuse_other_encodings(options)) return *status;
    const bool piped = file == "-";
    const std::string name = piped ? "stdin" : file;
    auto text = piped ? read_stdin(config::file_bytes_max + 1)
                      : base::read_file(file, config::file_bytes_max);
    if (!text) return fail(exit_usage, text.error().message);
    // What cannot be sent; anything else the instance judges, which knows the plugins.
    config::Problems problems;
    if (!config::scan(config::Source::from_text(*text, name), problems)) {
        return fail(exit_usage, name + " is not a shared configuration", problems.lines());
    }
    json::object body{{"toml", std::move(*text)}, {"name", name}};
    add_options(body, options);
    return post_and_show(connection, "/v1/config/apply", body);
}

int config_rollback(const Connection& connection, const std::string& revision,
                    const EditOptions& options) {
    if (const auto status = refuse_other_encodings(options)) return *status;
    json::object body{{"revision", revision}};
    add_options(body, options);
    return post_and_show(connection, "/v1/config/rollback", body);
}

int config_history(const Connection& connection, unsigned max) {
    const Answer answer = get(connection, fmt::format("/v1/config/history?max={}", max));
    if (!answer.ok()) return answer.report();
    if (connection.json) {
        print_line(answer.raw);
        return exit_done;
    }
    Table table({"REVISION", "TIME", "AUTHOR", "CHANGES", "MESSAGE"});
    for (const json::object& entry : list_of(answer.body, "history")) {
        table.add({text_of(entry, "revision"), text_of(entry, "time"), text_of(entry, "author"),
                   std::to_string(list_of(entry, "changes").size()), text_of(entry, "message")});
    }
    print_line(table.empty() ? "no history" : table.render());
    if (const auto note = text_of(answer.body, "note"); !note.empty()) print_line(note);
    return exit_done;
}

}  // namespace umbra::cli
