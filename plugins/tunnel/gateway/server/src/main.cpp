// umbra-gateway: the command line.
#include "server.hpp"
#include "settings.hpp"
#include <umbra/base/http_client.hpp>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace umbra::gateway {
namespace {

namespace json = boost::json;

/// What scripts rely on.
enum Exit {
    exit_done = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_unreachable = 3,
    exit_refused = 4
};

constexpr Duration admin_timeout = std::chrono::seconds{10};

void complain(const std::string& sentence) {
    std::fprintf(stderr, "umbra-gateway: %s\n", sentence.c_str());
}

int report(const std::string& file, const config::Problems& problems) {
    complain(file + " has " + std::to_string(problems.count()) +
             (problems.count() == 1 ? " mistake" : " mistakes"));
    std::fputs(problems.render().c_str(), stderr);
    return exit_usage;
}

int check(const std::string& file) {
    const auto load = load_settings(file);
    if (!load.settings) return report(file, load.problems);
    std::printf("%s: valid\n", file.c_str());
    return exit_done;
}

int run(const std::string& file) {
    auto load = load_settings(file);
    if (!load.settings) return report(file, load.problems);
    ::signal(SIGPIPE, SIG_IGN);
    auto server = Server::start(*std::move(load.settings));
    if (!server) {
        complain(server.error().message);
        return exit_failed;
    }
    if (auto ended = server.value().run(); !ended) {
        complain(ended.error().message);
        return exit_failed;
    }
    return exit_done;
}

/// Asks the running gateway. `out` is its answer when 0 is returned.
int ask(const std::string& admin, base::HttpRequest request, json::value& out) {
    const auto answer = base::http_request(admin, request, admin_timeout);
    if (!answer) {
        complain(answer.error().message);
        return answer.error().code == Errc::invalid || answer.error().code == Errc::unsupported
                   ? exit_usage
                   : exit_unreachable;
    }
    json::error_code error;
    out = json::parse(answer.value().body, error);
    if (answer.value().status == 200 && !error) return exit_done;
    const auto* text = !error && out.is_object() ? out.as_object().if_contains("error") : nullptr;
    complain(text != nullptr && text->is_string() ? json::value_to<std::string>(*text)
                                                  : "the gateway gave an answer of another kind");
    switch (answer.value().status) {
        case 400:
            return exit_usage;
        case 409:
            return exit_refused;
        default:
            return exit_failed;
    }
}

std::string text(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) return "-";
    if (value->is_double()) return fmt::format("{:.1f}", value->as_double());
    return value->is_string() ? json::value_to<std::string>(*value) : json::serialize(*value);
}

void print_pair(const json::object& pair) {
    std::string in_sync;
    for (const auto& node : pair.at("in_sync").as_array())
        in_sync += (in_sync.empty() ? "" : ", ") + json::value_to<std::string>(node);
    const auto holder = text(pair, "holder");
    std::printf(
        "pair %s: epoch %s, holder %s%s, active %s, in sync: %s; %s streams, %s of them draining, "
        "%s parked\n",
        text(pair, "pair").c_str(), text(pair, "epoch").c_str(),
        holder.empty() ? "nobody" : holder.c_str(),
        holder.empty() || pair.at("holder_alive").as_bool() ? "" : " (lost)",
        text(pair, "active").empty() ? "nobody" : text(pair, "active").c_str(),
        in_sync.empty() ? "nobody" : in_sync.c_str(), text(pair, "streams").c_str(),
        text(pair, "draining").c_str(), text(pair, "parked").c_str());
    if (const auto why = text(pair, "suspended"); !why.empty())
        std::printf("  nothing is routed: %s\n", why.c_str());
    if (pair.at("rebuilding").as_bool())
        std::printf("  the register is lost; waits for: %s\n", text(pair, "waiting_for").c_str());
    for (const auto& one : pair.at("nodes").as_array()) {
        const auto& node = one.as_object();
        std::printf("  node %s: %s links, %s streams, heard %s ms ago\n",
                    text(node, "node").c_str(), text(node, "links").c_str(),
                    text(node, "streams").c_str(), text(node, "heard_ms").c_str());
        for (const auto& link : node.at("connections").as_array())
            std::printf("    link from %s: round trip %s us, %s streams\n",
                        text(link.as_object(), "address").c_str(),
                        text(link.as_object(), "rtt_us").c_str(),
                        text(link.as_object(), "streams").c_str());
    }
}

/// Nothing while no key changes.
void print_next_key(const json::object& key) {
    if (key.at("next").is_null()) return;
    std::string missing;
    for (const auto& one : key.at("unconfirmed").as_array()) {
        const auto& node = one.as_object();
        missing += (missing.empty() ? "" : ", ") + text(node, "node");
        if (text(node, "pair") != default_pair) missing += " of pair " + text(node, "pair");
    }
    std::printf("next key %s: %s%s\n", text(key, "next").c_str(),
                missing.empty() ? "confirmed by every instance" : "not confirmed by ",
                missing.c_str());
}

/// ": 3 now, 17 served; refused: per_source 2"
std::string tally(const json::object& counters, const char* now) {
    std::string refused;
    for (const auto& [reason, count] : counters.at("refused").as_object())
        refused += fmt::format("{}{} {}", refused.empty() ? "; refused: " : ", ",
                               std::string_view(reason), json::serialize(count));
    return fmt::format(": {} now, {} served{}", text(counters, now), text(counters, "served"),
                       refused);
}

std::string way_in(const json::object& counters) { return tally(counters, "clients_now"); }

void print_channel(const json::object& channel) {
    std::printf("channel %s: %s -> %s, pair %s%s\n", text(channel, "name").c_str(),
                text(channel, "target").c_str(), text(channel, "address").c_str(),
                text(channel, "pair").c_str(), tally(channel, "streams").c_str());
}

/// A register that other gateways share; nothing is said of one on the disk.
void print_register(const json::object& shared) {
    if (text(shared, "store") != "etcd") return;
    std::printf("register in etcd, %s below %s: %s\n", text(shared, "endpoints").c_str(),
                text(shared, "prefix").c_str(),
                shared.at("reachable").as_bool()
                    ? "in touch"
                    : ("out of touch, nothing is granted: " + text(shared, "detail")).c_str());
    for (const auto& one : shared.at("gateways").as_array()) {
        const auto& gateway = one.as_object();
        std::printf("  gateway %s: %s, silent for %s ms\n", text(gateway, "name").c_str(),
                    text(gateway, "state").c_str(), text(gateway, "silent_ms").c_str());
    }
}

int status(const std::string& admin, bool as_json) {
    json::value answer;
    const int code = ask(admin, {"GET", "/v1/status", ""}, answer);
    if (code != exit_done) return code;
    if (as_json) {
        std::printf("%s\n", json::serialize(answer).c_str());
        return exit_done;
    }
    const auto& all = answer.as_object();
    std::printf("gateway %s, version %s, up %.0f s\nlistens on %s for instances; key %s\n",
                text(all, "name").c_str(), text(all, "version").c_str(),
                all.at("uptime_s").as_double(), text(all, "listen").c_str(),
                text(all, "pin").c_str());
    print_next_key(all.at("key").as_object());
    print_register(all.at("register").as_object());
    for (const auto& pair : all.at("pairs").as_array()) print_pair(pair.as_object());
    for (const auto& one : all.at("listeners").as_array()) {
        const auto& listener = one.as_object();
        std::printf("listener %s: %s -> %s, pair %s%s\n", text(listener, "name").c_str(),
                    text(listener, "address").c_str(), text(listener, "virtual").c_str(),
                    text(listener, "pair").c_str(),
                    way_in(listener.at("counters").as_object()).c_str());
    }
    for (const auto& one : all.at("channels").as_array()) print_channel(one.as_object());
    for (const char* door : {"socks5", "http_connect"})
        if (!all.at(door).is_null())
            std::printf("%s: %s%s\n", door, text(all, door).c_str(),
                        way_in(all.at("proxies").at(door).as_object()).c_str());
    for (const auto& [name, count] : all.at("counters").as_object())
        if (count != 0) std::printf("%s: %s\n", name.data(), json::serialize(count).c_str());
    return exit_done;
}

int act(const std::string& admin, const char* path, const std::string& node,
        const std::string& pair, bool as_json) {
    json::value answer;
    const auto body = json::serialize(json::object{{"node", node}, {"pair", pair}});
    const int code = ask(admin, {"POST", path, body}, answer);
    if (code != exit_done) return code;
    if (as_json)
        std::printf("%s\n", json::serialize(answer).c_str());
    else if (const auto* invitation = answer.as_object().if_contains("invitation"))
        std::printf("%s\n", json::value_to<std::string>(*invitation).c_str());
    return exit_done;
}

int key(const std::string& admin, const char* path, const json::object& body, bool as_json) {
    json::value answer;
    const int code = ask(admin, {"POST", path, json::serialize(body)}, answer);
    if (code != exit_done) return code;
    if (as_json) {
        std::printf("%s\n", json::serialize(answer).c_str());
        return exit_done;
    }
    std::printf("key %s\n", text(answer.as_object(), "pin").c_str());
    print_next_key(answer.as_object());
    return exit_done;
}

int main_of(int argc, char** argv) {
    CLI::App app{"The cloud end of Umbra's tunnels.", "umbra-gateway"};
    app.set_version_flag("--version", "umbra-gateway " UMBRA_VERSION);
    app.require_subcommand(1);
    const char* from_environment = std::getenv("UMBRA_ADMIN");
    std::string admin = from_environment != nullptr ? from_environment : default_admin;
    std::string file, node, pair = default_pair;
    bool as_json = false;
    int code = exit_done;

    const auto with_file = [&](const char* name, const char* help,
                               int (*work)(const std::string&)) {
        auto* sub = app.add_subcommand(name, help);
        sub->add_option("FILE", file, "gateway.toml")->required();
        sub->callback([&, work] { code = work(file); });
    };
    const auto with_admin = [&](CLI::App& above, const char* name, const char* help) {
        auto* sub = above.add_subcommand(name, help);
        sub->add_option("--admin", admin,
                        "Where the running gateway is asked: unix:/path (also UMBRA_ADMIN)")
            ->capture_default_str();
        sub->add_flag("--json", as_json, "Print JSON");
        return sub;
    };
    const auto with_node = [&](const char* name, const char* help, const char* path) {
        auto* sub = with_admin(app, name, help);
        sub->add_option("NAME", node, "Name of the instance")->required();
        sub->add_option("--pair", pair, "Pair of the instance")->capture_default_str();
        sub->callback([&, path] { code = act(admin, path, node, pair, as_json); });
    };
    with_file("run", "Run the gateway in the foreground", run);
    with_file("check", "Validate a gateway file", check);
    with_admin(app, "status", "Show instances, register, listeners and counters")->callback([&] {
        code = status(admin, as_json);
    });
    with_node("invite", "Print a one-time invitation for an instance", "/v1/invitations");
    with_node("remove", "Take back the enrolment of an instance", "/v1/remove");
    with_node("admit",
              "Let an instance claim although it is not in sync; what only lost instances "
              "had is gone",
              "/v1/admit");
    auto* keys = app.add_subcommand("key", "Change the key of the gateway");
    keys->require_subcommand(1);
    bool force = false;
    const auto with_key = [&](const char* name, const char* help, const char* path) {
        auto* sub = with_admin(*keys, name, help);
        sub->callback([&, path] {
            json::object body;
            if (force) body["force"] = true;
            code = key(admin, path, body, as_json);
        });
        return sub;
    };
    with_key("rotate", "Make the next key and announce it to every instance", "/v1/key/rotate");
    with_key("use", "Use the next key for new links, once every instance has confirmed it",
             "/v1/key/use")
        ->add_flag("--force", force, "Also without; the others have to enrol again");
    with_key("drop", "Take the next key back", "/v1/key/drop");
    const std::vector<std::string> commands{"run",    "check", "status", "invite",
                                            "remove", "admit", "key"};
    if (argc > 1 && argv[1][0] != '-' && std::ranges::count(commands, argv[1]) == 0) {
        complain("unknown command " + ("\"" + std::string(argv[1]) + "\"") + "; " +
                 config::suggest(argv[1], commands));
        return exit_usage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);
        complain(std::string(error.what()) + "; see umbra-gateway --help");
        return exit_usage;
    }
    return code;
}

}  // namespace
}  // namespace umbra::gateway

int main(int argc, char** argv) { return umbra::gateway::main_of(argc, argv); }
