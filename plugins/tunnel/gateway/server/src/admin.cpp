// What the admin socket answers.
#include "server_impl.hpp"
#include <umbra/base/clock.hpp>

#include <boost/json.hpp>

namespace umbra::gateway {

namespace json = boost::json;

namespace {

/// The string under `key` of a body, or `fallback`; nothing when it can not be a name.
std::optional<std::string> name_in(const base::HttpRequest& request, const char* key,
                                   const char* fallback) {
    json::error_code error;
    const auto body = json::parse(request.body, error);
    std::string name = fallback;
    if (!error && body.is_object())
        if (const auto* value = body.as_object().if_contains(key))
            name = value->is_string() ? json::value_to<std::string>(*value) : "";
    if (!config::is_name(name)) return std::nullopt;
    return name;
}

/// Node and pair of a request; when one can not be a name, that was answered already.
struct Named {
    std::string node, pair;
};
std::optional<Named> names_in(const base::HttpRequest& request, const base::Responder& answer) {
    auto node = name_in(request, "node", "");
    auto pair = name_in(request, "pair", default_pair);
    if (node && pair) return Named{*std::move(node), *std::move(pair)};
    answer(base::http_error(400, std::string(node ? "the pair" : "the node") +
                                     " needs a name: 1 to 63 of a-z, 0-9 and \"-\""));
    return std::nullopt;
}

json::object counters_json(const Counters& counters) {
    return {{"clients", counters.clients},
            {"refused_network", counters.refused_network},
            {"refused_per_source", counters.refused_per_source},
            {"refused_clients", counters.refused_clients},
            {"served", counters.served},
            {"parked", counters.parked},
            {"park_timeouts", counters.park_timeouts},
            {"park_full", counters.park_full},
            {"park_gave_up", counters.park_gave_up},
            {"denied", counters.denied},
            {"backend_failed", counters.backend_failed},
            {"over_limit", counters.over_limit},
            {"drained", counters.drained},
            {"drain_cut", counters.drain_cut},
            {"bad_requests", counters.bad_requests},
            {"strangers", counters.strangers},
            {"handshakes_failed", counters.handshakes_failed},
            {"pending_dropped", counters.pending_dropped},
            {"protocol_errors", counters.protocol_errors},
            {"wrong_proofs", counters.wrong_proofs},
            {"refused_links", counters.refused_links},
            {"claims_granted", counters.claims_granted},
            {"claims_refused", counters.claims_refused},
            {"channel_streams", counters.channel_streams},
            {"channel_refused", counters.channel_refused}};
}

std::int64_t unix_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

void Server::Impl::admin(const base::HttpRequest& request, const base::Responder& answer) {
    const auto path = request.target.substr(0, request.target.find('?'));
    if (path == "/v1/status") {
        if (request.method != "GET")
            return answer(base::http_error(405, "the status is read with GET"));
        return answer({200, status()});
    }
    using Act = void (Impl::*)(const base::HttpRequest&, const base::Responder&);
    const std::map<std::string, Act> acts{
        {"/v1/invitations", &Impl::admin_invite}, {"/v1/remove", &Impl::admin_remove},
        {"/v1/admit", &Impl::admin_admit},        {"/v1/key/rotate", &Impl::admin_key_rotate},
        {"/v1/key/use", &Impl::admin_key_use},    {"/v1/key/drop", &Impl::admin_key_drop}};
    const auto act = acts.find(path);
    if (act == acts.end()) return answer(base::http_error(404, "there is nothing at this path"));
    if (request.method != "POST") return answer(base::http_error(405, "this is done with POST"));
    (this->*act->second)(request, answer);
}

/// As bound: port 0 is replaced by the real one.
std::string Server::Impl::bound_address(const ListenerSettings& listener) const {
    const auto& range = listener.address;
    if (range.first != range.last) return to_string(range);
    const auto found = doors_.find(doors_of(listener).front().what);
    return found == doors_.end() ? to_string(range) : found->second->address();
}

std::string Server::Impl::status() const {
    const auto& settings = context_.settings;
    json::array pairs;
    for (const auto& [name, pair] : pairs_) pairs.push_back(pair->status(roster_));
    json::array listeners;
    for (const auto& listener : settings.listeners)
        listeners.push_back(
            json::object{{"name", listener.name},
                         {"address", bound_address(listener)},
                         {"virtual", to_string(listener.virtual_at)},
                         {"pair", listener.pair},
                         {"counters", ways_in_.status("listener " + listener.name)}});
    const auto door = [this](const char* what) -> json::value {
        const auto found = doors_.find(what);
        return found == doors_.end() ? json::value(nullptr)
                                     : json::value(json::string(found->second->address()));
    };
    json::object ways;
    for (const char* way : {"socks5", "http_connect"})
        if (auto counts = ways_in_.status(way); !counts.empty()) ways[way] = std::move(counts);
    const auto up = std::chrono::duration<double>(base::boot_now() - started_).count();
    return json::serialize(
        json::object{{"name", settings.name},
                     {"version", UMBRA_VERSION},
                     {"uptime_s", up},
                     {"pin", keys_.identity().pin()},
                     {"key", keys_.status()},
                     {"listen", door("listen")},
                     {"socks5", door("socks5")},
                     {"http_connect", door("http_connect")},
                     {"parked", context_.parked_now},
                     {"pending", reception_->pending()},
                     {"clients_now", context_.admission.now()},
                     {"proxies", std::move(ways)},
                     {"register", shared_ ? shared_->status() : json::object{{"store", "file"}}},
                     {"pairs", std::move(pairs)},
                     {"listeners", std::move(listeners)},
                     {"channels", channels_.status()},
                     {"counters", counters_json(context_.counters)}});
}

void Server::Impl::admin_invite(const base::HttpRequest& request, const base::Responder& answer) {
    const auto named = names_in(request, answer);
    if (!named) return;
    const auto pin = parse_pin(keys_.identity().pin());
    if (!pin) return answer(base::http_error(500, pin.error().message));
    auto made = make_invitation(named->node, named->pair, pin.value(), unix_now());
    if (!made) return answer(base::http_error(500, made.error().message));
    change(
        [kept = made.value().kept](Roster& roster) {
            roster.drop_expired(unix_now());
            return roster.invite(kept);
        },
        [answer, text = to_text(made.value().sent), named = *named](Result<Done> done) {
            if (!done) return answer(base::http_error(409, done.error().message));
            base::info("gateway", "pair {}: node {} is invited", named.pair, named.node);
            answer({200, json::serialize(json::object{{"invitation", text},
                                                      {"node", named.node},
                                                      {"pair", named.pair},
                                                      {"expires_s", invitation_life.count()}})});
        });
}

void Server::Impl::admin_remove(const base::HttpRequest& request, const base::Responder& answer) {
    const auto named = names_in(request, answer);
    if (!named) return;
    change(
        [named = *named](Roster& roster) -> Result<Done> {
            if (roster.remove(named.pair, named.node)) return Done{};
            return Error{Errc::conflict,
                         "no node " + named.node + " is enrolled in pair " + named.pair};
        },
        [this, answer, named = *named](Result<Done> done) {
            if (!done) return answer(base::http_error(409, done.error().message));
            if (const auto pair = pairs_.find(named.pair); pair != pairs_.end())
                pair->second->removed(named.node);
            base::info("gateway", "pair {}: node {} is removed", named.pair, named.node);
            answer({200, "{}"});
        });
}

void Server::Impl::admin_admit(const base::HttpRequest& request, const base::Responder& answer) {
    const auto named = names_in(request, answer);
    if (!named) return;
    const auto pair = pairs_.find(named->pair);
    if (pair == pairs_.end())
        return answer(base::http_error(409, "there is no pair " + named->pair));
    pair->second->admit(named->node, [answer](bool ok, const std::string& text) {
        answer(ok ? base::HttpResponse{200, "{}"} : base::http_error(409, text));
    });
}

/// What the keys are afterwards, or why they are as they were.
GatewayKeys::Answer Server::Impl::key_answer(const base::Responder& answer) const {
    return [this, answer](const Result<Done>& done) {
        if (done) return answer({200, json::serialize(keys_.status())});
        answer(base::http_error(done.error().code == Errc::conflict ? 409 : 500,
                                done.error().message));
    };
}

void Server::Impl::admin_key_rotate(const base::HttpRequest&, const base::Responder& answer) {
    keys_.rotate(key_answer(answer));
}

void Server::Impl::admin_key_use(const base::HttpRequest& request, const base::Responder& answer) {
    json::error_code error;
    const auto body = json::parse(request.body.empty() ? "{}" : request.body, error);
    const auto* force =
        !error && body.is_object() ? body.as_object().if_contains("force") : nullptr;
    if (error || (force != nullptr && !force->is_bool()))
        return answer(base::http_error(400, R"(the body is {"force": true} or empty)"));
    keys_.use(force != nullptr && force->as_bool(), key_answer(answer));
}

void Server::Impl::admin_key_drop(const base::HttpRequest&, const base::Responder& answer) {
    keys_.drop(key_answer(answer));
}

}  // namespace umbra::gateway
