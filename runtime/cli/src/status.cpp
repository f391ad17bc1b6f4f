#include "commands.hpp"
#include "table.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <thread>
#include <unistd.h>

namespace umbra::cli {
namespace {

using boost::json::object;

constexpr std::chrono::seconds watch_interval{1};

std::string whole(std::optional<double> number) {
    return number ? fmt::format("{:.0f}", *number) : std::string{};
}

std::string time_or_dash(std::optional<double> value, double microseconds_each) {
    return value ? human_time(*value * microseconds_each) : "-";
}

std::string headline(const object& status) {
    std::string text = fmt::format("{}  {}, {}", text_of(status, "instance"),
                                   text_of(status, "role"), text_of(status, "state"));
    if (flag_of(status, "paused")) text += ", automatic takeovers paused";
    return text;
}

std::string facts(const object& status) {
    const object& timers = object_of(status, "timers");
    Table table({"", ""});
    table.add({"revision", text_of(status, "revision")});
    table.add({"epoch", whole(number_of(status, "epoch"))});
    table.add({"version", text_of(status, "version")});
    table.add({"up", human_time(number_of(status, "uptime_s").value_or(0) * 1e6)});
    if (!timers.empty()) {
        table.add(
            {"timers",
             fmt::format("{}: check {}, connect {}, request {}, takeover {}",
                         text_of(status, "profile"), text_of(timers, "check_interval"),
                         text_of(timers, "connect_timeout"), text_of(timers, "request_timeout"),
                         text_of(timers, "takeover_delay"))});
    }
    const std::string text = table.render();
    return text.substr(text.find('\n') + 1);  // these rows need no header
}

std::string peer_table(const object& peer) {
    Table table({"PEER", "STATE", "REVISION", "SYNC", "LAST SEEN", "RTT", "VERSION", "DETAIL"});
    const std::string name = text_of(peer, "instance");
    const auto seen = number_of(peer, "last_seen_ms");
    table.add({name.empty() ? "(none)" : name, text_of(peer, "state"), text_of(peer, "revision"),
               flag_of(peer, "in_sync") ? "in sync" : "not in sync",
               seen ? human_time(*seen * 1e3) + " ago" : "never",
               time_or_dash(number_of(peer, "rtt_us"), 1), text_of(peer, "version"),
               text_of(peer, "detail")});
    return table.render();
}

std::string tunnel_table(const object& status) {
    Table table(
        {"TUNNEL", "PLUGIN", "STATE", "EPOCH", "FENCES", "LINKS", "STREAMS", "DENIED", "DETAIL"});
    for (const object& tunnel : list_of(status, "tunnels")) {
        const auto denied = number_of(tunnel, "denied").value_or(0);
        table.add({text_of(tunnel, "name"), text_of(tunnel, "plugin"), text_of(tunnel, "state"),
                   whole(number_of(tunnel, "epoch")), flag_of(tunnel, "fences") ? "yes" : "no",
                   whole(number_of(tunnel, "links")), whole(number_of(tunnel, "streams")),
                   denied > 0 ? whole(denied) : "", text_of(tunnel, "detail")});
    }
    return table.empty() ? "no tunnels\n" : table.render();
}

std::string probe_table(const object& status) {
    Table table({"PROBE", "PLUGIN", "STATE", "LATENCY", "DETAIL"});
    for (const object& probe : list_of(status, "probes")) {
        table.add({text_of(probe, "name"), text_of(probe, "plugin"),
                   flag_of(probe, "healthy") ? "healthy" : "DOWN",
                   time_or_dash(number_of(probe, "latency_us"), 1), text_of(probe, "detail")});
    }
    return table.empty() ? "" : table.render();
}

std::string alert_table(const object& status) {
    Table table({"ALERT", "SEVERITY", "SINCE", "TEXT"});
    for (const object& alert : list_of(status, "alerts")) {
        table.add({text_of(alert, "id"), text_of(alert, "severity"), text_of(alert, "since"),
                   text_of(alert, "text")});
    }
    return table.empty() ? "no alerts\n" : table.render();
}

std::string render(const object& status) {
    std::string text = printable(headline(status)) + "\n" + facts(status);
    for (const std::string& part : {peer_table(object_of(status, "peer")), tunnel_table(status),
                                    probe_table(status), alert_table(status)}) {
        if (!part.empty()) text += "\n" + part;
    }
    if (const auto last = text_of(status, "last_change"); !last.empty()) {
        text += "\nlast change of role: " + printable(last) + "\n";
    }
    return text;
}

/// Shows the status once a second until it is interrupted or nobody reads any more. An instance
/// that is away is a status like any other.
int watch_status(const Connection& connection) {
    const bool terminal = ::isatty(STDOUT_FILENO) == 1 && !connection.json;
    for (;;) {
        const Answer answer = get(connection, "/v1/status", status_timeout);
        if (answer.status == exit_usage) return answer.report();
        if (terminal) std::fputs("\x1b[H\x1b[2J", stdout);
        if (answer.ok()) {
            print_line(connection.json ? answer.raw : render(answer.body));
        } else if (connection.json) {
            std::fprintf(stderr, "umbra: %s\n", answer.error.c_str());
        } else {
            print_line(answer.error + "\n");
        }
        if (std::fflush(stdout) != 0) return exit_done;
        std::this_thread::sleep_for(watch_interval);
    }
}

}  // namespace

int show_status(const Connection& connection, bool watch) {
    if (watch) return watch_status(connection);
    const Answer answer = get(connection, "/v1/status", status_timeout);
    if (!answer.ok()) return answer.report();
    print_line(connection.json ? answer.raw : render(answer.body));
    return exit_done;
}

int show_alerts(const Connection& connection) {
    const Answer answer = get(connection, "/v1/alerts", status_timeout);
    if (!answer.ok()) return answer.report();
    print_line(connection.json ? answer.raw : alert_table(answer.body));
    return exit_done;
}

int explain(const Connection& connection, unsigned max) {
    const Answer answer = get(connection, "/v1/explain?max=" + std::to_string(max), status_timeout);
    if (!answer.ok()) return answer.report();
    if (connection.json) {
        print_line(answer.raw);
        return exit_done;
    }
    const auto decisions = list_of(answer.body, "decisions");
    Table table({"TIME", "ROLE", "EPOCH", "WHAT HAPPENED AND WHY"});
    // A story is read from its beginning, and its end stays on the screen.
    for (auto it = decisions.rbegin(); it != decisions.rend(); ++it) {
        const auto kind = text_of(*it, "kind");
        table.add({text_of(*it, "time"), kind == "noted" ? "" : kind,
                   whole(number_of(*it, "epoch")), text_of(*it, "text")});
    }
    print_line(table.empty() ? "nothing was decided yet" : table.render());
    return exit_done;
}

}  // namespace umbra::cli
