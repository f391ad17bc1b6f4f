// Clients of tests/bench/tunnel.py:
//   tunnel_client echo SECONDS PORT       one message of 64 bytes under way, a pause of a
//   millisecond
//                                         after each; one line: p50 and p99 in microseconds, how
//                                         many
//   tunnel_client hold COUNT PORT...      opens so many connections, spread over the ports, sees a
//                                         byte come back on each, and keeps them
//   tunnel_client stall COUNT PORT        opens so many connections and never reads
// The last two say "held" when all are there, and end when their input ends.

#include "sockets.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using bench::give_up;
constexpr std::size_t message_bytes = 64;
constexpr std::size_t opened_at_once = 64;  ///< Fewer than any relay's queue of new connections.

void send_all(int fd, const char* data, std::size_t size) {
    if (::send(fd, data, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size))
        give_up("tunnel_client: send");
}

void receive_all(int fd, char* data, std::size_t size) {
    while (size > 0) {
        const ssize_t got = ::recv(fd, data, size, 0);
        if (got == 0) {
            std::fputs("tunnel_client: the connection was closed\n", stderr);
            std::exit(1);
        }
        if (got < 0) give_up("tunnel_client: receive");
        data += got;
        size -= static_cast<std::size_t>(got);
    }
}

int echo(double seconds, std::uint16_t port) {
    const int fd = bench::connect_to(port);
    std::array<char, message_bytes> out{}, in{};
    std::vector<double> waits;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
        out[0] = static_cast<char>(waits.size());
        const auto sent = Clock::now();
        send_all(fd, out.data(), out.size());
        receive_all(fd, in.data(), in.size());
        const std::chrono::duration<double, std::micro> wait = Clock::now() - sent;
        if (in != out) {
            std::fputs("tunnel_client: another message came back\n", stderr);
            return 1;
        }
        waits.push_back(wait.count());
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::sort(waits.begin(), waits.end());
    const auto at = [&](double part) {
        return waits[static_cast<std::size_t>(static_cast<double>(waits.size() - 1) * part)];
    };
    std::printf("%.1f %.1f %zu\n", at(0.5), at(0.99), waits.size());
    return 0;
}

/// Says so, and keeps everything until the input ends.
int held() {
    std::puts("held");
    std::fflush(stdout);
    char ignored[64];
    while (::read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
    }
    return 0;
}

int hold(std::size_t count, const std::vector<std::uint16_t>& ports) {
    std::vector<int> fds;
    std::size_t answered = 0;
    while (answered < count) {
        for (std::size_t i = 0; i < opened_at_once && fds.size() < count; ++i) {
            const auto from = static_cast<std::uint8_t>(2 + fds.size() % 100);
            fds.push_back(bench::connect_to(ports[fds.size() % ports.size()], from));
            send_all(fds.back(), "x", 1);
        }
        for (char back = 0; answered < fds.size(); ++answered) receive_all(fds[answered], &back, 1);
    }
    return held();
}

int stall(std::size_t count, std::uint16_t port) {
    for (std::size_t i = 0; i < count; ++i) {
        // The first byte shows that the way is open to the end.
        const int fd = bench::connect_to(port);
        char first = 0;
        receive_all(fd, &first, 1);
    }
    return held();
}

}  // namespace

int main(int count, char** arguments) {
    const std::string_view what = count > 3 ? arguments[1] : "";
    std::vector<std::uint16_t> ports;
    for (int i = 3; i < count; ++i) ports.push_back(bench::port_of(arguments[i]));
    if (what == "echo") return echo(std::strtod(arguments[2], nullptr), ports[0]);
    if (what == "hold") return hold(std::strtoul(arguments[2], nullptr, 10), ports);
    if (what == "stall") return stall(std::strtoul(arguments[2], nullptr, 10), ports[0]);
    std::fputs("tunnel_client echo SECONDS PORT | hold COUNT PORT... | stall COUNT PORT\n", stderr);
    return 2;
}
