#include "requests.hpp"

#include <umbra/config/values.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <string_view>
#include <sys/socket.h>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// Clients whose request is being read; one more is turned away.
constexpr std::size_t requests_max = 1024;

void say(tcp::socket& socket, std::string_view bytes) {
    // Into an empty send buffer: it fits, or the client is gone.
    (void)::send(socket.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// What ends a request that can not be served; the answer was given already.
struct BadRequest {};

// --- SOCKS5 -------------------------------------------------------------------------------------

constexpr char socks_version = 5;
constexpr char socks_connect = 1;
enum class SocksReply : char {
    ok = 0,
    failure = 1,
    not_allowed = 2,
    host_unreachable = 4,
    refused = 5,
    command_unknown = 7,
    address_unknown = 8,
};

std::string socks_answer(SocksReply reply) {
    std::string bytes{socks_version, static_cast<char>(reply), 0, 1};
    return bytes.append(6, '\0');  // Bound to 0.0.0.0:0: where it really is, is nobody's business.
}

SocksReply socks_reply(StatusCode code) {
    switch (code) {
        case StatusCode::ok:
            return SocksReply::ok;
        case StatusCode::denied:
            return SocksReply::not_allowed;
        case StatusCode::refused:
            return SocksReply::refused;
        case StatusCode::timeout:
            return SocksReply::host_unreachable;
        case StatusCode::stale_epoch:
        case StatusCode::limit:
        case StatusCode::draining:
            return SocksReply::failure;
    }
    return SocksReply::failure;
}

asio::awaitable<std::string> read_bytes(tcp::socket& socket, std::size_t count) {
    std::string bytes(count, '\0');
    co_await asio::async_read(socket, asio::buffer(bytes), asio::use_awaitable);
    co_return bytes;
}

std::uint16_t port_of(std::string_view two) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(two[0]) << 8 |
                                      static_cast<unsigned char>(two[1]));
}

template <class Address>
std::string address_text(std::string_view bytes) {
    typename Address::bytes_type raw{};
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<unsigned char>(bytes[i]);
    return Address(raw).to_string();
}

asio::awaitable<void> socks5(Client& client) {
    auto& socket = client.socket;
    const auto greeting = co_await read_bytes(socket, 2);
    if (greeting[0] != socks_version) throw BadRequest{};
    const auto methods = co_await read_bytes(socket, static_cast<unsigned char>(greeting[1]));
    const bool open = methods.find('\0') != std::string::npos;
    say(socket, open ? std::string_view("\x05\x00", 2) : std::string_view("\x05\xff", 2));
    if (!open) throw BadRequest{};

    const auto refuse = [&](SocksReply reply) {
        say(socket, socks_answer(reply));
        throw BadRequest{};
    };
    const auto head = co_await read_bytes(socket, 4);
    if (head[0] != socks_version) refuse(SocksReply::failure);
    std::string host;
    switch (head[3]) {
        case 1:
            host = address_text<asio::ip::address_v4>(co_await read_bytes(socket, 4));
            break;
        case 4:
            host = address_text<asio::ip::address_v6>(co_await read_bytes(socket, 16));
            break;
        case 3: {
            const auto length = co_await read_bytes(socket, 1);
            host = co_await read_bytes(socket, static_cast<unsigned char>(length[0]));
            break;
        }
        default:
            refuse(SocksReply::address_unknown);
    }
    const auto port = port_of(co_await read_bytes(socket, 2));
    if (head[1] != socks_connect) refuse(SocksReply::command_unknown);
    const bool v6 = head[3] == 4;
    const auto wanted =
        config::parse_endpoint((v6 ? "[" + host + "]" : host) + ":" + std::to_string(port));
    if (!wanted) refuse(SocksReply::address_unknown);
    client.host = wanted.value().host;
    client.port = port;
    client.answer = [](StatusCode code) { return socks_answer(socks_reply(code)); };
}

// --- HTTP CONNECT -------------------------------------------------------------------------------

std::string http_answer(std::string_view status, std::string_view text) {
    std::string answer = "HTTP/1.1 ";
    answer.append(status).append("\r\nContent-Type: text/plain\r\nContent-Length: ");
    answer += std::to_string(text.size() + 1);
    answer.append("\r\nConnection: close\r\n\r\n").append(text).append("\n");
    return answer;
}

std::string http_answer(StatusCode code) {
    switch (code) {
        case StatusCode::ok:
            return "HTTP/1.1 200 Connection established\r\n\r\n";
        case StatusCode::denied:
            return http_answer("403 Forbidden", "no mapping permits this");
        case StatusCode::refused:
            return http_answer("502 Bad Gateway", "the internal system refuses connections");
        case StatusCode::timeout:
            return http_answer("504 Gateway Timeout",
                               "no instance is active, or no answer in time");
        case StatusCode::stale_epoch:
        case StatusCode::limit:
        case StatusCode::draining:
            break;
    }
    return http_answer("503 Service Unavailable", "too many connections; try again later");
}

asio::awaitable<std::string> read_head(tcp::socket& socket) {
    constexpr std::string_view end = "\r\n\r\n";
    std::string head;
    std::array<char, 2048> seen;
    while (true) {
        co_await socket.async_wait(tcp::socket::wait_read, asio::use_awaitable);
        // Looked at first and taken after: what follows the head belongs to the stream.
        const ssize_t got =
            ::recv(socket.native_handle(), seen.data(), seen.size(), MSG_PEEK | MSG_DONTWAIT);
        if (got == 0) throw BadRequest{};
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (got < 0) throw BadRequest{};
        const std::size_t before = head.size();
        head.append(seen.data(), static_cast<std::size_t>(got));
        const auto found = head.find(end, before < end.size() ? 0 : before - end.size() + 1);
        if (found != std::string::npos) head.resize(found + end.size());
        (void)::recv(socket.native_handle(), seen.data(), head.size() - before, MSG_DONTWAIT);
        if (found != std::string::npos) co_return head;
        if (head.size() > http_head_bytes_max) {
            say(socket, http_answer("431 Request Header Fields Too Large", "the head is too long"));
            throw BadRequest{};
        }
    }
}

asio::awaitable<void> http_connect(Client& client) {
    const auto head = co_await read_head(client.socket);
    const auto line = std::string_view(head).substr(0, head.find("\r\n"));
    const auto refuse = [&](std::string_view status, std::string_view text) {
        say(client.socket, http_answer(status, text));
        throw BadRequest{};
    };
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || last == first ||
        !line.substr(last).starts_with(" HTTP/1."))
        refuse("400 Bad Request", "this is not HTTP/1.1");
    if (line.substr(0, first) != "CONNECT")
        refuse("405 Method Not Allowed", "only CONNECT host:port is served here");
    const auto wanted = config::parse_endpoint(line.substr(first + 1, last - first - 1));
    if (!wanted) refuse("400 Bad Request", "CONNECT wants host:port");
    client.host = wanted.value().host;
    client.port = wanted.value().port;
    client.answer = [](StatusCode code) { return http_answer(code); };
}

template <class Read>
void read_request(Context& context, tcp::socket socket, Serve serve, Read read) {
    if (context.requests_now >= requests_max) {
        ++context.counters.over_limit;
        return abort_connection(socket);
    }
    ++context.requests_now;
    auto client = std::make_shared<Client>(std::move(socket));
    client->address = peer_of(client->socket);
    auto limit = std::make_shared<asio::steady_timer>(context.io, request_time_max);
    limit->async_wait([client](boost::system::error_code error) {
        if (!error) abort_connection(client->socket);
    });
    asio::co_spawn(
        context.io, [client, read]() { return read(*client); },
        [&context, client, limit, serve = std::move(serve)](std::exception_ptr failure) {
            --context.requests_now;
            // Too late: the time limit has fired and closes the socket.
            const bool late = limit->cancel() == 0;
            if (!failure && !late) return serve(client);
            ++context.counters.bad_requests;
            boost::system::error_code ignored;
            client->socket.close(ignored);
        });
}

}  // namespace

void read_socks5(Context& context, tcp::socket socket, Serve serve) {
    read_request(context, std::move(socket), std::move(serve), socks5);
}

void read_http_connect(Context& context, tcp::socket socket, Serve serve) {
    read_request(context, std::move(socket), std::move(serve), http_connect);
}

}  // namespace umbra::gateway
