#include "commands.hpp"
#include "table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <variant>

namespace umbra::cli {
namespace {

namespace json = boost::json;

bool is_open(const json::object& divergence) {
    const std::string state = text_of(divergence, "state");
    return state == "saved" || state == "conflicts";
}

std::string number(const json::object& object, std::string_view name) {
    return fmt::format("{:.0f}", number_of(object, name).value_or(0));
}

/// A literal of the table; what is not there says so.
std::string cell(const json::object& line, std::string_view name) {
    const json::value* const value = line.if_contains(json::string_view{name});
    return value != nullptr && value->is_string() ? text_of(line, name) : "(none)";
}

/// The divergence that is meant, or the exit status after an error was printed.
std::variant<json::object, int> find(const Connection& connection, const std::string& id) {
    std::string target = "/v1/config/divergence";
    if (!id.empty()) target += "?id=" + percent_encode(id);
    const Answer answer = get(connection, target);
    if (!answer.ok()) return answer.report();
    auto list = list_of(answer.body, "divergences");
    if (id.empty()) std::erase_if(list, [](const auto& one) { return !is_open(one); });
    if (list.size() == 1) return std::move(list.front());
    if (!id.empty()) return fail(exit_usage, fmt::format("there is no divergence {}", id));
    if (list.empty()) {
        return fail(exit_usage, "nothing is open here; see umbra config divergence list");
    }
    std::vector<std::string> ids;
    for (const json::object& one : list) ids.push_back(text_of(one, "id"));
    return fail(exit_usage, "several are open: name one", ids);
}

int decide(const Connection& connection, const std::string& verb, const std::string& id,
           const std::string& author) {
    std::string which = id;
    if (which.empty()) {
        const auto found = find(connection, id);
        if (const int* const status = std::get_if<int>(&found)) return *status;
        which = text_of(std::get<json::object>(found), "id");
    }
    json::object body{{"id", which}};
    if (!author.empty()) body["author"] = author;
    return post_and_show(connection, "/v1/config/divergence/" + verb, body);
}

/// "2 edits after revision 1.3 by ann, merged as revision 2.6"
std::string headline(const json::object& divergence) {
    const std::size_t edits = list_of(divergence, "edits").size();
    std::string line = fmt::format("{} {}", edits, edits == 1 ? "edit" : "edits");
    const std::string fork = text_of(divergence, "fork");
    line += fork.empty() ? " from before what the master remembers" : " after revision " + fork;
    if (const auto authors = text_of(divergence, "authors"); !authors.empty()) {
        line += " by " + authors;
    }
    const std::string state = text_of(divergence, "state");
    const std::string merged = text_of(divergence, "merged_as");
    if (!merged.empty()) {
        line += ", merged as revision " + merged;
    } else if (state == "saved") {
        line += ", not merged yet";
    }
    if (state == "dropped") line += ", dropped";
    return printable(line);
}

}  // namespace

int divergence_list(const Connection& connection) {
    const Answer answer = get(connection, "/v1/config/divergence");
    if (!answer.ok()) return answer.report();
    if (connection.json) {
        print_line(answer.raw);
        return exit_done;
    }
    Table table({"ID", "STATE", "SAVED", "EDITS", "KEYS", "CONFLICTS"});
    for (const json::object& one : list_of(answer.body, "divergences")) {
        table.add({text_of(one, "id"), text_of(one, "state"), text_of(one, "saved_at"),
                   std::to_string(list_of(one, "edits").size()),
                   std::to_string(list_of(one, "keys").size()), number(one, "conflicts")});
    }
    print_line(table.empty() ? "no divergent edits are kept here; each instance keeps its own"
                             : table.render());
    return exit_done;
}

int divergence_show(const Connection& connection, const std::string& id) {
    const auto found = find(connection, id);
    if (const int* const status = std::get_if<int>(&found)) return *status;
    const auto& divergence = std::get<json::object>(found);
    if (connection.json) {
        print_line(json::serialize(divergence));
        return exit_done;
    }
    std::string text = headline(divergence) + "\n";
    Table edits({"REVISION", "TIME", "AUTHOR", "MESSAGE"});
    for (const json::object& edit : list_of(divergence, "edits")) {
        edits.add({text_of(edit, "revision"), text_of(edit, "time"), text_of(edit, "author"),
                   text_of(edit, "message")});
    }
    Table keys({"KEY", "BASE", "MASTER", "SAVED", "OUTCOME"});
    for (const json::object& line : list_of(divergence, "keys")) {
        keys.add({text_of(line, "key"), cell(line, "base"), cell(line, "master"),
                  cell(line, "saved"), text_of(line, "outcome")});
    }
    text += "\n" + edits.render();
    if (!keys.empty()) text += "\n" + keys.render();
    if (is_open(divergence)) {
        const std::string name = text_of(divergence, "id");
        text += fmt::format(
            "\numbra config divergence merge {} applies what was saved; drop {} forgets it\n", name,
            name);
    }
    print_line(text);
    return exit_done;
}

int divergence_merge(const Connection& connection, const std::string& id,
                     const std::string& author) {
    return decide(connection, "merge", id, author);
}

int divergence_drop(const Connection& connection, const std::string& id,
                    const std::string& author) {
    return decide(connection, "drop", id, author);
}

}  // namespace umbra::cli
