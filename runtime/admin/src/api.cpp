#include "json_body.hpp"
#include "query.hpp"
#include "render.hpp"
#include <umbra/admin/api.hpp>
#include <umbra/config/source.hpp>
#include <umbra/config/values.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <pwd.h>

namespace umbra::admin {
namespace {

namespace json = boost::json;
using base::HttpResponse;
using base::Responder;
using instance::Control;

constexpr std::size_t history_default = 50;
constexpr std::size_t explain_default = 20;
/// The largest file, of which JSON may escape every byte, and what surrounds it.
constexpr std::size_t body_max = 2 * config::file_bytes_max + std::size_t{64} * 1024;
constexpr std::size_t list_max = 10000;
constexpr std::size_t changes_max = 10000;
constexpr std::chrono::seconds user_name_kept_for{10};

/// One request on its way to `Control`.
struct Call {
    Control& control;
    Fields fields;
    std::map<std::string, std::string, std::less<>> query;
    std::string user;  ///< Who asks, by the socket; for edits that name no author.
    Responder answer;

    /// Answers 400 if something was wrong with the request. Call it after all fields were taken and
    /// before anything is done.
    [[nodiscard]] bool refused() {
        std::vector<std::string> mistakes = fields.mistakes();
        if (mistakes.empty()) return false;
        if (mistakes.size() == 1) {
            answer(base::http_error(400, std::move(mistakes.front())));
        } else {
            answer(base::http_error(400, fmt::format("{} mistakes in the request", mistakes.size()),
                                    mistakes));
        }
        return true;
    }
    /// What most calls of `Control` report to.
    [[nodiscard]] Control::Done done() const {
        return [answer = answer](instance::Reply reply) { answer(render_reply(std::move(reply))); };
    }
    [[nodiscard]] std::string parameter(std::string_view name) const {
        const auto found = query.find(name);
        return found == query.end() ? std::string{} : found->second;
    }
};

void get_status(Call call) { call.answer({200, render_status(call.control.status())}); }

void get_alerts(Call call) { call.answer({200, render_alerts(call.control.status().alerts)}); }

void get_healthz(Call call) { call.answer({200, R"({"status":"alive"})"}); }

/// Ready = does its part of the pair: an active master, or a shadow that could take over.
void get_readyz(Call call) {
    const instance::Status status = call.control.status();
    const bool ready = status.state == "active" || status.state == "ready";
    if (!ready) {
        return call.answer(
            base::http_error(503, fmt::format("the {} is {}", status.role, status.state)));
    }
    call.answer({200, json::serialize(json::object{
                          {"status", "ready"}, {"role", status.role}, {"state", status.state}})});
}

void post_switch(Call call) {
    const bool force = call.fields.flag("force");
    if (call.refused()) return;
    call.control.switch_roles(force, call.done());
}

void post_pause(Call call) {
    std::optional<Duration> length;
    if (const auto text = call.fields.text("for")) {
        const Result<Duration> parsed = config::parse_duration(*text);
        if (!parsed) {
            call.fields.complain(fmt::format("\"for\": {}", parsed.error().message));
        } else if (*parsed <= Duration::zero()) {
            call.fields.complain("\"for\" must be longer than nothing, for example \"2h\"");
        } else {
            length = *parsed;
        }
    }
    if (call.refused()) return;
    call.control.pause(length, call.done());
}

void post_resume(Call call) {
    if (call.refused()) return;
    call.control.resume(call.done());
}

void post_reload(Call call) {
    if (call.refused()) return;
    call.control.reload([answer = call.answer](instance::Reply reply, config::ReloadPlan plan) {
        if (reply.outcome != instance::Outcome::done) return answer(render_reply(std::move(reply)));
        answer({200, render_reload(reply, plan)});
    });
}

void get_config(Call call) {
    call.control.show(call.parameter("key"), call.parameter("revision"), call.done());
}

/// The fields that every edit may have.
instance::Edit common_edit(Call& call) {
    instance::Edit edit;
    edit.author = call.fields.text_or_empty("author");
    if (edit.author.empty()) edit.author = call.user;
    edit.message = call.fields.text_or_empty("message");
    edit.op_id = call.fields.text_or_empty("op_id");
    edit.if_revision = call.fields.text_or_empty("if_revision");
    edit.dry_run = call.fields.flag("dry_run");
    return edit;
}

void post_edit(Call call) {
    instance::Edit edit = common_edit(call);
    json::array changes = call.fields.required_list("changes");
    if (changes.size() > changes_max) {
        call.fields.complain(fmt::format("\"changes\" has {} entries, at most {} are taken",
                                         changes.size(), changes_max));
        changes.clear();
    }
    std::size_t number = 0;
    for (json::value& value : changes) {
        const std::string where = fmt::format("changes[{}]", number++);
        if (!value.is_object()) {
            call.fields.complain(fmt::format("\"{}\" must be an object with key and value", where));
            continue;
        }
        Fields fields{std::move(value.get_object()), where + "."};
        core::Change change{fields.required_text("key"), fields.required_text_or_null("value")};
        for (std::string& mistake : fields.mistakes()) call.fields.complain(std::move(mistake));
        edit.changes.push_back(std::move(change));
    }
    if (call.refused()) return;
    call.control.edit(std::move(edit), call.done());
}

void post_apply(Call call) {
    instance::Edit edit = common_edit(call);
    edit.document = call.fields.required_text("toml");
    edit.document_name = call.fields.text_or_empty("name");
    if (call.refused()) return;
    call.control.edit(std::move(edit), call.done());
}

void post_rollback(Call call) {
    instance::Edit edit = common_edit(call);
    edit.rollback_to = call.fields.required_text("revision");
    if (call.refused()) return;
    call.control.edit(std::move(edit), call.done());
}

void get_diff(Call call) {
    call.control.diff(call.parameter("from"), call.parameter("to"),
                      [answer = call.answer](instance::Reply reply, instance::Comparison compared) {
                          if (reply.outcome != instance::Outcome::done) {
                              return answer(render_reply(std::move(reply)));
                          }
                          answer({200, render_comparison(compared, reply.text)});
                      });
}

void get_divergences(Call call) {
    call.control.divergences(
        call.parameter("id"),
        [answer = call.answer](instance::Reply reply, std::vector<instance::DivergenceView> views) {
            if (reply.outcome != instance::Outcome::done) return answer(render_reply(reply));
            answer({200, render_divergences(views)});
        });
}

/// What both decisions about a divergence take: its id and who decides.
std::pair<std::string, std::string> divergence_fields(Call& call) {
    std::string id = call.fields.required_text("id");
    std::string author = call.fields.text_or_empty("author");
    return {std::move(id), author.empty() ? call.user : std::move(author)};
}

void post_divergence_merge(Call call) {
    auto [id, author] = divergence_fields(call);
    if (call.refused()) return;
    call.control.divergence_merge(std::move(id), std::move(author), call.done());
}

void post_divergence_drop(Call call) {
    auto [id, author] = divergence_fields(call);
    if (call.refused()) return;
    call.control.divergence_drop(std::move(id), std::move(author), call.done());
}

/// The parameter "max", or its default; answers 400 and returns nothing when it is none.
std::optional<std::size_t> list_length(const Call& call, std::size_t usual) {
    const std::string text = call.parameter("max");
    if (text.empty()) return usual;
    std::size_t max = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, max);
    if (error == std::errc{} && stop == end && max >= 1 && max <= list_max) return max;
    call.answer(base::http_error(
        400, fmt::format("max is \"{}\", it must be a number from 1 to {}", text, list_max)));
    return std::nullopt;
}

void get_history(Call call) {
    const auto max = list_length(call, history_default);
    if (!max) return;
    call.control.history(*max, [answer = call.answer](instance::Reply reply,
                                                      std::vector<instance::HistoryEntry> entries) {
        if (reply.outcome != instance::Outcome::done) return answer(render_reply(reply));
        answer({200, render_history(entries, reply.message)});
    });
}

void get_explain(Call call) {
    const auto max = list_length(call, explain_default);
    if (!max) return;
    call.control.explain(*max, [answer = call.answer](instance::Reply reply,
                                                      std::vector<instance::Decision> decisions) {
        if (reply.outcome != instance::Outcome::done) return answer(render_reply(reply));
        answer({200, render_decisions(decisions)});
    });
}

template <bool on>
void post_peer_enabled(Call call) {
    if (call.refused()) return;
    call.control.peer_enable(on, call.done());
}

template <bool on>
void post_peer_connected(Call call) {
    if (call.refused()) return;
    call.control.peer_connect(on, call.done());
}

void post_peer_reset(Call call) {
    if (call.refused()) return;
    call.control.peer_reset(call.done());
}

void post_peer_invite(Call call) {
    if (call.refused()) return;
    call.control.peer_invite(call.done());
}

void post_peer_join(Call call) {
    std::string invitation = call.fields.required_text("invitation");
    if (call.refused()) return;
    call.control.peer_join(std::move(invitation), call.done());
}

void post_peer_check(Call call) {
    if (call.refused()) return;
    call.control.peer_check(call.done());
}

void post_tunnel_enrol(Call call) {
    std::string tunnel = call.fields.required_text("tunnel");
    std::string invitation = call.fields.required_text("invitation");
    if (call.refused()) return;
    call.control.tunnel_enrol(std::move(tunnel), std::move(invitation), call.done());
}

void post_tunnel_key_rotate(Call call) {
    std::string tunnel = call.fields.required_text("tunnel");
    if (call.refused()) return;
    call.control.tunnel_rotate_key(std::move(tunnel), call.done());
}

void post_tunnel_check(Call call) {
    std::string tunnel = call.fields.text_or_empty("tunnel");
    if (call.refused()) return;
    call.control.tunnel_check(
        std::move(tunnel), [answer = call.answer](instance::Reply reply,
                                                  std::vector<instance::TunnelCheckView> checks) {
            if (reply.outcome != instance::Outcome::done) return answer(render_reply(reply));
            answer({200, render_tunnel_checks(checks)});
        });
}

struct Route {
    std::string_view method, path;
    std::string_view parameters;  ///< Of the query, separated by spaces.
    void (*run)(Call);
};

constexpr Route routes[] = {
    {"GET", "/v1/status", "", get_status},
    {"GET", "/v1/alerts", "", get_alerts},
    {"GET", "/v1/explain", "max", get_explain},
    {"GET", "/healthz", "", get_healthz},
    {"GET", "/readyz", "", get_readyz},
    {"POST", "/v1/switch", "", post_switch},
    {"POST", "/v1/pause", "", post_pause},
    {"POST", "/v1/resume", "", post_resume},
    {"POST", "/v1/reload", "", post_reload},
    {"GET", "/v1/config", "key revision", get_config},
    {"POST", "/v1/config/edit", "", post_edit},
    {"POST", "/v1/config/apply", "", post_apply},
    {"POST", "/v1/config/rollback", "", post_rollback},
    {"GET", "/v1/config/diff", "from to", get_diff},
    {"GET", "/v1/config/history", "max", get_history},
    {"GET", "/v1/config/divergence", "id", get_divergences},
    {"POST", "/v1/config/divergence/merge", "", post_divergence_merge},
    {"POST", "/v1/config/divergence/drop", "", post_divergence_drop},
    {"POST", "/v1/peer/enable", "", post_peer_enabled<true>},
    {"POST", "/v1/peer/disable", "", post_peer_enabled<false>},
    {"POST", "/v1/peer/connect", "", post_peer_connected<true>},
    {"POST", "/v1/peer/disconnect", "", post_peer_connected<false>},
    {"POST", "/v1/peer/reset", "", post_peer_reset},
    {"POST", "/v1/peer/invite", "", post_peer_invite},
    {"POST", "/v1/peer/join", "", post_peer_join},
    {"POST", "/v1/peer/check", "", post_peer_check},
    {"POST", "/v1/tunnel/enrol", "", post_tunnel_enrol},
    {"POST", "/v1/tunnel/check", "", post_tunnel_check},
    {"POST", "/v1/tunnel/key/rotate", "", post_tunnel_key_rotate},
};

bool has_word(std::string_view words, std::string_view word) {
    for (std::size_t at = 0; at < words.size();) {
        const std::size_t end = std::min(words.find(' ', at), words.size());
        if (words.substr(at, end - at) == word) return true;
        at = end + 1;
    }
    return false;
}

std::string ask_user_name(unsigned uid) {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        return found->pw_name;
    }
    return fmt::format("uid {}", uid);
}

/// Asking the system opens and reads a file at least, and a program that administers asks request
/// after request as the same user. Whoever is renamed is known by the new name after a while.
std::string user_name(std::optional<unsigned> uid) {
    using Clock = std::chrono::steady_clock;
    struct Known {
        std::optional<unsigned> uid;
        std::string name;
        Clock::time_point until;
    };
    thread_local Known known;
    if (!uid) return {};
    const auto now = Clock::now();
    if (known.uid != uid || known.until < now) {
        known = {uid, ask_user_name(*uid), now + user_name_kept_for};
    }
    return known.name;
}

HttpResponse no_route(const base::HttpRequest& request, const std::string& path) {
    std::string allowed;
    for (const Route& route : routes) {
        if (route.path == path) allowed = route.method;
    }
    if (allowed.empty()) {
        return base::http_error(404, fmt::format("there is no {} here", path));
    }
    HttpResponse response = base::http_error(
        405, fmt::format("{} is not possible with {}: use {}", path, request.method, allowed));
    response.headers.emplace_back("Allow", allowed);
    return response;
}

}  // namespace

void Api::handle(const base::HttpRequest& request, const Responder& answer) const {
    Result<Target> target = parse_target(request.target);
    if (!target) return answer(base::http_error(400, target.error().message));
    const Route* chosen = nullptr;
    for (const Route& route : routes) {
        if (route.path == target->path && route.method == request.method) chosen = &route;
    }
    if (chosen == nullptr) return answer(no_route(request, target->path));

    Result<json::object> body = parse_object(request.body);
    if (!body) return answer(base::http_error(400, body.error().message));
    Call call{*control_, Fields{std::move(*body), ""}, std::move(target->query),
              user_name(request.peer_uid), answer};
    for (const auto& [name, value] : call.query) {
        if (!has_word(chosen->parameters, name)) {
            call.fields.complain(fmt::format("the query parameter \"{}\" is not known here", name));
        }
    }
    if (request.method == "GET" && call.refused()) return;
    chosen->run(std::move(call));
}

Result<base::HttpServer> serve(Control& control, std::string address) {
    base::HttpServer::Settings settings;
    settings.address = std::move(address);
    settings.body_max = body_max;
    return base::HttpServer::start(
        std::move(settings), [api = Api{control}](base::HttpRequest request, Responder answer) {
            api.handle(request, answer);
        });
}

}  // namespace umbra::admin
