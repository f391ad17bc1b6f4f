#include "ways_in.hpp"

#include "http_connect.hpp"
#include "proxy_header.hpp"
#include "requests.hpp"
#include "socks5.hpp"

#include <algorithm>

namespace umbra::gateway {

namespace json = boost::json;
using boost::asio::ip::tcp;

namespace {

const std::string way_socks5 = "socks5", way_http_connect = "http_connect";

std::string way_of(const std::string& listener) { return "listener " + listener; }

/// @return nothing when the client is gone already.
std::shared_ptr<Client> client_of(tcp::socket socket, tcp::endpoint& peer) {
    boost::system::error_code error;
    peer = socket.remote_endpoint(error);
    if (error) return nullptr;
    auto client = std::make_shared<Client>(std::move(socket));
    client->address = to_text(peer);
    return client;
}

const ListenerSettings* find_listener(const Settings& settings, const std::string& name) {
    const auto& all = settings.listeners;
    const auto found = std::ranges::find(all, name, &ListenerSettings::name);
    return found == all.end() ? nullptr : &*found;
}

}  // namespace

std::size_t places_for(std::size_t descriptors) {
    constexpr std::size_t kept = 1024;
    return descriptors - std::max(descriptors / 8, std::min(descriptors / 2, kept));
}

WaysIn::WaysIn(Context& context, Serve serve) : context_(context), serve_(std::move(serve)) {}

void WaysIn::configure() {
    const auto& settings = context_.settings;
    const auto& clients = settings.clients;
    const auto places = places_for(context_.descriptors);
    context_.admission.limit(clients.total == 0 ? places : std::min(clients.total, places),
                             clients.per_source);
    std::set<std::string> ways;
    const auto set = [&](const std::string& way, WayRules rules) {
        if (rules.allow.empty()) rules.allow = clients.allow;
        context_.admission.set(way, std::move(rules));
        ways.insert(way);
    };
    for (const auto& listener : settings.listeners) set(way_of(listener.name), listener.rules);
    if (settings.socks5) set(way_socks5, {});
    if (settings.http_connect) set(way_http_connect, {});
    for (const auto& way : ways_)
        if (!ways.contains(way)) context_.admission.remove(way);
    ways_ = std::move(ways);
}

/// The listener is looked up each time: a reload may change it.
void WaysIn::listener(const std::string& name, std::uint16_t port, tcp::socket socket) {
    const auto* settings = find_listener(context_.settings, name);
    tcp::endpoint peer;
    const auto client = client_of(std::move(socket), peer);
    if (settings == nullptr || !client) return;
    const auto& range = settings->address;
    if (port < range.first || port > range.last) return;
    client->host = settings->virtual_at.host;
    client->port = static_cast<std::uint16_t>(settings->virtual_at.first + (port - range.first));
    if (!settings->proxy_from.empty()) {
        if (!let_in(settings->proxy_from, peer.address()))
            return turn_away(context_, *client, Refusal::network);
        return proxied(*settings, client);
    }
    if (const auto refused = context_.admission.admit(way_of(name), peer.address(), client->place))
        return turn_away(context_, *client, *refused);
    ++context_.counters.clients;
    serve_(settings->pair, client);
}

void WaysIn::proxied(const ListenerSettings& settings, std::shared_ptr<Client> client) {
    if (const auto refused = context_.admission.enter(way_of(settings.name), client->place))
        return turn_away(context_, *client, *refused);
    read_preamble(
        context_, std::move(client), std::make_unique<ProxyPreamble>(),
        [this, pair = settings.pair](const std::shared_ptr<Client>& known, Preamble& preamble) {
            boost::system::error_code error;
            auto real = known->socket.remote_endpoint(error);
            if (const auto& told = static_cast<ProxyPreamble&>(preamble).client()) real = *told;
            known->address = to_text(real);
            if (const auto refused = context_.admission.identify(known->place, real.address())) {
                known->place = {};  // Which has counted it.
                return turn_away(context_, *known, *refused);
            }
            ++context_.counters.clients;
            serve_(pair, known);
        });
}

template <class Request>
void WaysIn::request(const std::string& way, const Dialect& dialect, tcp::socket socket) {
    tcp::endpoint peer;
    const auto client = client_of(std::move(socket), peer);
    if (!client) return;
    client->dialect = &dialect;
    if (const auto refused = context_.admission.admit(way, peer.address(), client->place))
        return turn_away(context_, *client, *refused);
    ++context_.counters.clients;
    read_preamble(context_, client, std::make_unique<Request>(),
                  [this](const std::shared_ptr<Client>& known, Preamble& preamble) {
                      const auto& wanted = static_cast<Request&>(preamble);
                      known->host = wanted.host();
                      known->port = wanted.port();
                      serve_(default_pair, known);
                  });
}

void WaysIn::socks5(tcp::socket socket) {
    request<Socks5Preamble>(way_socks5, socks5_dialect, std::move(socket));
}

void WaysIn::http_connect(tcp::socket socket) {
    request<HttpConnectPreamble>(way_http_connect, http_connect_dialect, std::move(socket));
}

json::object WaysIn::status(const std::string& way) const {
    const auto* tally = context_.admission.tally(way);
    if (tally == nullptr) return {};
    json::object refused;
    for (std::size_t i = 0; i < refusals; ++i)
        if (tally->refused[i] != 0) refused[name_of(static_cast<Refusal>(i))] = tally->refused[i];
    return {{"clients_now", tally->now},       {"clients", tally->clients},
            {"served", tally->served},         {"bytes_up", tally->bytes_up},
            {"bytes_down", tally->bytes_down}, {"refused", std::move(refused)}};
}

}  // namespace umbra::gateway
