#include "commands.hpp"
#include "table.hpp"

#include <cstdio>

namespace umbra::cli {
namespace {

/// Longer than any invitation; ends a stream that never does.
constexpr std::size_t invitation_max = 64 * 1024;

std::string from_argument_or_stdin(const std::string& argument) {
    if (argument != "-") return argument;
    std::string text;
    for (int c = std::getchar(); c != EOF && text.size() < invitation_max; c = std::getchar()) {
        text += static_cast<char>(c);
    }
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    return text;
}

}  // namespace

int switch_roles(const Connection& connection, bool force) {
    return post_and_show(connection, "/v1/switch", {{"force", force}});
}

int pause(const Connection& connection, const std::string& length) {
    boost::json::object body;
    if (!length.empty()) body["for"] = length;
    return post_and_show(connection, "/v1/pause", body);
}

int resume(const Connection& connection) { return post_and_show(connection, "/v1/resume"); }

int reload(const Connection& connection) { return post_and_show(connection, "/v1/reload"); }

int peer(const Connection& connection, const std::string& verb) {
    return post_and_show(connection, "/v1/peer/" + verb);
}

int peer_join(const Connection& connection, const std::string& invitation) {
    return post_and_show(connection, "/v1/peer/join",
                         {{"invitation", from_argument_or_stdin(invitation)}});
}

int tunnel_enrol(const Connection& connection, const std::string& tunnel,
                 const std::string& invitation) {
    return post_and_show(connection, "/v1/tunnel/enrol",
                         {{"tunnel", tunnel}, {"invitation", from_argument_or_stdin(invitation)}});
}

int tunnel_rotate_key(const Connection& connection, const std::string& tunnel) {
    return post_and_show(connection, "/v1/tunnel/key/rotate", {{"tunnel", tunnel}});
}

int tunnel_check(const Connection& connection, const std::string& tunnel) {
    boost::json::object body;
    if (!tunnel.empty()) body["tunnel"] = tunnel;
    const Answer answer = post(connection, "/v1/tunnel/check", body);
    if (!answer.ok()) return answer.report();
    const ExitStatus status = flag_of(answer.body, "ok") ? exit_done : exit_failed;
    if (connection.json) {
        print_line(answer.raw);
        return status;
    }
    Table table({"TUNNEL", "KIND", "NAME", "TARGET", "RESULT", "TIME", "DETAIL"});
    for (const auto& check : list_of(answer.body, "checks")) {
        const auto outcome = text_of(check, "outcome");
        const auto latency = number_of(check, "latency_us");
        table.add({text_of(check, "tunnel"), text_of(check, "kind"), text_of(check, "name"),
                   text_of(check, "target"), outcome,
                   latency && outcome != "skipped" ? human_time(*latency) : "",
                   text_of(check, "detail")});
    }
    print_line(table.empty() ? "there is nothing to try" : table.render());
    return status;
}

}  // namespace umbra::cli
