#include "render.hpp"

#include <umbra/config/values.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace umbra::admin {
namespace {

namespace json = boost::json;
using instance::Outcome;

json::array to_array(const std::vector<std::string>& lines) {
    json::array array;
    for (const std::string& line : lines) array.emplace_back(line);
    return array;
}

json::array to_array(const instance::SharedNames& names) {
    return names ? to_array(*names) : json::array{};
}

/// Parentheses, not braces: with braces Boost.JSON makes an array of one.
template <class T>
json::value or_null(const std::optional<T>& value) {
    return value ? json::value(*value) : json::value(nullptr);
}

json::object reply_object(const instance::Reply& reply) {
    return {{"outcome", reply.outcome == Outcome::done ? "done" : "provisional"},
            {"message", reply.message},
            {"details", to_array(reply.details)},
            {"text", reply.text},
            {"revision", reply.revision}};
}

json::array change_array(const std::vector<config::ReloadChange>& changes) {
    json::array array;
    for (const auto& change : changes) {
        array.push_back(json::object{{"key", change.key},
                                     {"from", or_null(change.from)},
                                     {"to", or_null(change.to)},
                                     {"reason", change.reason}});
    }
    return array;
}

json::object peer_object(const instance::PeerStatus& peer) {
    return {{"instance", peer.instance},
            {"state", peer.state},
            {"revision", peer.revision},
            {"in_sync", peer.in_sync},
            {"last_seen_ms", or_null(peer.last_seen_ms)},
            {"rtt_us", or_null(peer.rtt_us)},
            {"version", peer.version},
            {"plugins", to_array(peer.plugins)},
            {"detail", peer.detail}};
}

json::array tunnel_array(const std::vector<instance::TunnelStatus>& tunnels) {
    json::array array;
    for (const auto& tunnel : tunnels) {
        array.push_back(json::object{{"name", tunnel.name},
                                     {"plugin", tunnel.plugin},
                                     {"state", tunnel.state},
                                     {"epoch", tunnel.epoch},
                                     {"fences", tunnel.fences},
                                     {"links", tunnel.links},
                                     {"streams", tunnel.streams},
                                     {"denied", tunnel.denied},
                                     {"detail", tunnel.detail}});
    }
    return array;
}

json::array probe_array(const std::vector<instance::ProbeStatus>& probes) {
    json::array array;
    for (const auto& probe : probes) {
        array.push_back(json::object{{"name", probe.name},
                                     {"plugin", probe.plugin},
                                     {"healthy", probe.healthy},
                                     {"latency_us", probe.latency_us},
                                     {"detail", probe.detail}});
    }
    return array;
}

json::array alert_array(const std::vector<instance::Alert>& alerts) {
    json::array array;
    for (const auto& alert : alerts) {
        array.push_back(json::object{{"id", alert.id},
                                     {"severity", alert.severity},
                                     {"since", alert.since},
                                     {"text", alert.text}});
    }
    return array;
}

json::array history_array(const std::vector<instance::HistoryEntry>& history) {
    json::array entries;
    for (const auto& entry : history) {
        json::array changes;
        for (const core::Change& change : entry.changes) {
            changes.push_back(
                json::object{{"key", change.key}, {"value", or_null(change.literal)}});
        }
        entries.push_back(json::object{{"revision", entry.revision},
                                       {"time", entry.time},
                                       {"author", entry.author},
                                       {"message", entry.message},
                                       {"changes", std::move(changes)}});
    }
    return entries;
}

unsigned http_status(Outcome outcome) {
    switch (outcome) {
        case Outcome::done:
            return 200;
        case Outcome::provisional:
            return 202;
        case Outcome::failed:
            return 500;
        case Outcome::invalid:
            return 400;
        case Outcome::refused:
            return 409;
    }
    return 500;
}

}  // namespace

std::string render_status(const instance::Status& status) {
    const json::object timers{
        {"check_interval", config::format_duration(status.timers.check_interval)},
        {"connect_timeout", config::format_duration(status.timers.connect_timeout)},
        {"request_timeout", config::format_duration(status.timers.request_timeout)},
        {"takeover_delay", config::format_duration(status.timers.takeover_delay)}};
    return json::serialize(json::object{{"instance", status.instance},
                                        {"version", status.version},
                                        {"role", status.role},
                                        {"state", status.state},
                                        {"epoch", status.epoch},
                                        {"revision", status.revision},
                                        {"paused", status.paused},
                                        {"uptime_s", status.uptime_s},
                                        {"profile", status.profile},
                                        {"timers", timers},
                                        {"peer", peer_object(status.peer)},
                                        {"tunnels", tunnel_array(status.tunnels)},
                                        {"probes", probe_array(status.probes)},
                                        {"alerts", alert_array(status.alerts)},
                                        {"plugins", to_array(status.plugins)},
                                        {"strangers", status.strangers},
                                        {"suspicions", status.suspicions},
                                        {"last_change", status.last_change}});
}

std::string render_alerts(const std::vector<instance::Alert>& alerts) {
    return json::serialize(json::object{{"alerts", alert_array(alerts)}});
}

std::string render_decisions(const std::vector<instance::Decision>& decisions) {
    json::array list;
    for (const auto& decision : decisions) {
        list.push_back(json::object{{"time", decision.time},
                                    {"kind", decision.kind},
                                    {"epoch", decision.epoch},
                                    {"text", decision.text}});
    }
    return json::serialize(json::object{{"decisions", std::move(list)}});
}

std::string render_tunnel_checks(const std::vector<instance::TunnelCheckView>& checks) {
    json::array list;
    bool ok = true;
    for (const auto& check : checks) {
        ok &= check.outcome != "failed";
        list.push_back(json::object{{"tunnel", check.tunnel},
                                    {"kind", check.kind},
                                    {"name", check.name},
                                    {"target", check.target},
                                    {"outcome", check.outcome},
                                    {"latency_us", check.latency_us},
                                    {"detail", check.detail}});
    }
    return json::serialize(json::object{{"ok", ok}, {"checks", std::move(list)}});
}

std::string render_divergences(const std::vector<instance::DivergenceView>& views) {
    json::array list;
    for (const auto& view : views) {
        json::array keys;
        for (const auto& key : view.keys) {
            keys.push_back(json::object{{"key", key.key},
                                        {"base", or_null(key.base)},
                                        {"master", or_null(key.master)},
                                        {"saved", or_null(key.saved)},
                                        {"outcome", key.fate}});
        }
        list.push_back(json::object{{"id", view.id},
                                    {"saved_at", view.saved_at},
                                    {"state", view.state},
                                    {"settled_at", view.settled_at},
                                    {"fork", view.fork},
                                    {"merged_as", view.merged_as},
                                    {"authors", view.authors},
                                    {"conflicts", view.conflicts},
                                    {"edits", history_array(view.edits)},
                                    {"keys", std::move(keys)}});
    }
    return json::serialize(json::object{{"divergences", std::move(list)}});
}

std::string render_history(const std::vector<instance::HistoryEntry>& history,
                           const std::string& note) {
    json::object body{{"history", history_array(history)}};
    if (!note.empty()) body["note"] = note;
    return json::serialize(body);
}

std::string render_comparison(const instance::Comparison& compared, const std::string& text) {
    json::array changes;
    for (const auto& one : compared.keys) {
        changes.push_back(
            json::object{{"key", one.key}, {"from", or_null(one.from)}, {"to", or_null(one.to)}});
    }
    return json::serialize(json::object{{"from", compared.from},
                                        {"to", compared.to},
                                        {"changes", std::move(changes)},
                                        {"text", text}});
}

std::string render_reload(const instance::Reply& reply, const config::ReloadPlan& plan) {
    json::object object = reply_object(reply);
    object["live"] = change_array(plan.live);
    object["restart"] = change_array(plan.restart);
    object["ignored"] = change_array(plan.ignored);
    return json::serialize(object);
}

base::HttpResponse render_reply(instance::Reply reply) {
    const unsigned status = http_status(reply.outcome);
    if (status >= 400) {
        return base::http_error(status, std::move(reply.message), std::move(reply.details));
    }
    return {status, json::serialize(reply_object(reply))};
}

}  // namespace umbra::admin
