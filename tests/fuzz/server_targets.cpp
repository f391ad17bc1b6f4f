#include "fuzz/target.hpp"
#include "http_connect.hpp"
#include "networks.hpp"
#include "proxy_header.hpp"
#include "roster.hpp"
#include "socks5.hpp"
#include <umbra/config/values.hpp>

namespace umbra::fuzz {

using namespace gateway;
using namespace std::string_literals;

namespace {

/// What a preamble made of a stream of bytes.
struct Outcome {
    Preamble::State state = Preamble::State::reading;
    std::size_t taken = 0;
    std::string answer, wanted;
    bool operator==(const Outcome&) const = default;
};

std::string wanted(const RequestPreamble& request) {
    return to_string(config::Endpoint{request.host(), request.port()});
}
std::string wanted(const ProxyPreamble& header) {
    if (!header.client()) return "nobody";
    return header.client()->address().to_string() + " " + std::to_string(header.client()->port());
}

template <class P>
Outcome read_preamble(const std::vector<ByteView>& pieces) {
    P preamble;
    Outcome out;
    for (const auto piece : pieces) {
        if (preamble.state() != Preamble::State::reading) break;
        out.taken += preamble.feed(text_of(piece));
        out.answer += preamble.take_answer();
    }
    out.state = preamble.state();
    if (out.state == Preamble::State::done) out.wanted = wanted(preamble);
    // What follows a refusal is dropped anyway.
    if (out.state == Preamble::State::bad) out.taken = 0;
    return out;
}

template <class P>
std::string check_client(ByteView bytes, std::size_t longest) {
    const auto whole = read_preamble<P>({bytes});
    if (whole.taken > bytes.size()) return "more was taken than there is";
    if (whole.state == Preamble::State::reading && whole.taken < bytes.size())
        return "it reads on and leaves bytes behind";
    if (whole.state == Preamble::State::reading && bytes.size() > longest)
        return "it never comes to an end";
    if (read_preamble<P>(cut(bytes)) != whole) return "cut otherwise, it is something else";
    if (whole.state != Preamble::State::done) return {};
    if (read_preamble<P>({bytes.first(whole.taken)}) != whole) return "it looks at what follows";
    if (whole.taken > 0 &&
        read_preamble<P>({bytes.first(whole.taken - 1)}).state != Preamble::State::reading)
        return "it takes more than it needs";
    if (std::is_base_of_v<RequestPreamble, P> && !config::parse_endpoint(whole.wanted))
        return "what it wants is no host and port: " + whole.wanted;
    return {};
}

std::string check_socks5(ByteView bytes) {
    if (auto broken = check_client<Socks5Preamble>(bytes, 1024); !broken.empty()) return broken;
    const auto found = read_preamble<Socks5Preamble>({bytes});
    if (found.state != Preamble::State::done) return {};
    const std::size_t kind = 2 + bytes[1] + 3;
    if (bytes[kind] != 3) return {};
    auto name = text_of(bytes.subspan(kind + 2, bytes[kind + 1]));
    for (char& c : name)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    return found.wanted.starts_with(name + ":") ? "" : "it wants something else than it says";
}

std::string check_roster(ByteView bytes) {
    const auto roster = Roster::parse(text_of(bytes));
    if (!roster) return roster.error().message.empty() ? "an error without a word" : "";
    const auto again = Roster::parse(roster->to_json());
    return again && *again == *roster ? "" : "it does not come back";
}

Bytes roster_seed() {
    Roster roster;
    const auto made = make_invitation("alpha", "default", Digest{}, 1000);
    if (made) (void)roster.invite(made->kept);
    const auto other = make_invitation("beta", "two", Digest{}, 2000);
    if (other) {
        (void)roster.invite(other->kept);
        roster.enrol(other->kept.id, pin_text(Digest{7}), "2026-01-01T00:00:00Z");
    }
    return bytes_of(roster.to_json());
}

std::string check_network(ByteView bytes) {
    const auto network = Network::parse(text_of(bytes));
    if (!network) return network.error().message.empty() ? "an error without a word" : "";
    const auto again = Network::parse(network->to_text());
    return again && *again == *network ? "" : "it does not come back";
}

}  // namespace

std::vector<Target> server_targets() {
    const auto signature = "\r\n\r\n\0\r\nQUIT\n"s;
    return {
        {"socks5",
         {bytes_of("\x05\x01\x00\x05\x01\x00\x03\x09"s + "crm.cloud\x1f\x90"s + "hello"),
          bytes_of("\x05\x02\x00\x02\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50"s),
          bytes_of("\x05\x01\x00\x05\x01\x00\x04"s + std::string(15, '\0') + "\x01\x00\x50"s),
          bytes_of("\x05\x01\x00\x05\x01\x00\x03\x05[::1]\x00\x50"s),
          bytes_of("\x05\x01\x00\x05\x02\x00\x03\x01x\x00\x50"s)},
         check_socks5},
        {"http_connect",
         {bytes_of("CONNECT crm.cloud:8080 HTTP/1.1\r\nHost: crm.cloud:8080\r\n\r\nhello"),
          bytes_of("CONNECT [2001:db8::1]:1 HTTP/1.1\r\nUser-Agent: x\r\nhost: y\r\n\r\n"),
          bytes_of("CONNECT a:1 HTTP/1.0\r\n\r\n"), bytes_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
          bytes_of("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nX: " + std::string(8000, 'x') + "\r\n\r\n")},
         [](ByteView bytes) {
             return check_client<HttpConnectPreamble>(bytes, http_head_bytes_max);
         }},
        {"proxy_header",
         {bytes_of(signature + "\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\x30\x39\x01\xbb"s +
                   "GET /"),
          bytes_of(signature + "\x21\x21\x00\x28"s + std::string(40, 'x')),
          bytes_of(signature + "\x21\x11\x10\x00"s + std::string(8000, 'x')),
          bytes_of(signature + "\x20\x00\x00\x00"s), bytes_of(signature + "\x21\x00\x00\x02xx"s)},
         [](ByteView bytes) {
             return check_client<ProxyPreamble>(bytes, 16 + proxy_header_rest_max);
         }},
        {"enrolled", {roster_seed(), bytes_of(Roster{}.to_json())}, check_roster},
        {"network",
         {bytes_of("10.0.0.0/8"), bytes_of("2001:db8::/32"), bytes_of("::ffff:1.2.3.4/128")},
         check_network},
    };
}

}  // namespace umbra::fuzz
