// `umbra config diff`: revisions are compared by the instance, files here.

#include "commands.hpp"
#include "config_document.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/config/problem.hpp>
#include <umbra/config/shared_document.hpp>
#include <umbra/config/source.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <variant>

namespace umbra::cli {
namespace {

namespace json = boost::json;

/// "3.41"; a file that is called so is named as ./3.41.
bool is_revision(std::string_view text) {
    const std::size_t dot = text.find('.');
    const auto digits = [](std::string_view part) {
        return !part.empty() &&
               std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    };
    return dot != std::string_view::npos && digits(text.substr(0, dot)) &&
           digits(text.substr(dot + 1));
}

std::variant<core::Document, int> read_document(const std::string& file) {
    std::error_code code;
    if (!std::filesystem::exists(file, code)) {
        return fail(
            exit_usage,
            file + " is neither a revision, which looks like 3.41, nor a file that is there");
    }
    config::Problems problems;
    if (const auto source = config::Source::read(file, problems)) {
        if (auto parsed = config::parse_document(*source, problems); parsed && problems.empty()) {
            return std::move(parsed->document);
        }
    }
    return fail(exit_usage, file + " is not a shared configuration", problems.lines());
}

std::variant<core::Document, int> document_of(const Connection& connection,
                                              const std::string& side) {
    return side.empty() || is_revision(side) ? fetch_document(connection, side)
                                             : read_document(side);
}

json::value or_null(const core::Document& document, const std::string& key) {
    const auto found = document.find(key);
    return found == document.end() ? json::value(nullptr) : json::value(found->second);
}

/// What the API answers for revisions, made of two documents.
json::object compare(const std::string& from_name, const core::Document& from,
                     const std::string& to_name, const core::Document& to) {
    json::array changes;
    for (const core::Change& change : core::difference(from, to)) {
        changes.push_back(json::object{{"key", change.key},
                                       {"from", or_null(from, change.key)},
                                       {"to", or_null(to, change.key)}});
    }
    return {{"from", from_name},
            {"to", to_name},
            {"changes", std::move(changes)},
            {"text", config::diff_text(from, to)}};
}

int show(const Connection& connection, const json::object& compared, const std::string& raw) {
    if (connection.json) {
        print_line(raw.empty() ? json::serialize(compared) : raw);
        return exit_done;
    }
    const std::string text = text_of(compared, "text");
    if (!text.empty()) print_line(text);
    return exit_done;
}

}  // namespace

int config_diff(const Connection& connection, const std::vector<std::string>& sides) {
    const bool revisions = std::all_of(sides.begin(), sides.end(), is_revision);
    if (revisions) {
        std::string target = "/v1/config/diff";
        if (!sides.empty()) target += "?from=" + sides[0];
        if (sides.size() > 1) target += "&to=" + sides[1];
        const Answer answer = get(connection, target);
        return answer.ok() ? show(connection, answer.body, answer.raw) : answer.report();
    }
    // One file: from what is in force to the file.
    const std::string from = sides.size() > 1 ? sides[0] : "";
    const std::string& to = sides.back();
    const auto before = document_of(connection, from);
    if (const int* const status = std::get_if<int>(&before)) return *status;
    const auto after = document_of(connection, to);
    if (const int* const status = std::get_if<int>(&after)) return *status;
    return show(connection,
                compare(from.empty() ? "current" : from, std::get<core::Document>(before), to,
                        std::get<core::Document>(after)),
                {});
}

}  // namespace umbra::cli
