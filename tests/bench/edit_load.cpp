// Editors at the admin socket of an instance:
//   edit_load SOCKET EDITORS SECONDS [MESSAGE_BYTES]
// Each editor has one edit in flight: it sets a duration to another value, waits for the answer
// and goes on. One line: edits acknowledged a second, p50 and p99 of the wait in microseconds,
// answers that were no acknowledgement.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t value_max = 3'000'000;
constexpr std::string_view acknowledged = "\"outcome\":\"done\"";

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(1);
}

struct Editor {
    int fd = -1;
    std::string got;
    std::size_t next = 0;  ///< No two edits in a row are the same.
    std::size_t step = 0;
    std::string message;
    Clock::time_point sent;

    void send_next() {
        const std::string body = R"({"changes":[{"key":"takeover.grace_period","value":"\")" +
                                 std::to_string(next % value_max) + R"(ms\""}],"message":")" +
                                 message + R"("})";
        next += step;
        const std::string request =
            "POST /v1/config/edit HTTP/1.1\r\nHost: umbra\r\nContent-Type: application/json\r\n"
            "Content-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        sent = Clock::now();
        got.clear();
        if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request.size()))
            give_up("edit_load: send");
    }

    /// Whether the answer is complete.
    bool receive() {
        char buffer[4096];
        const ssize_t count = ::recv(fd, buffer, sizeof buffer, 0);
        if (count <= 0) give_up("edit_load: the instance closed the connection");
        got.append(buffer, static_cast<std::size_t>(count));
        const auto head = got.find("\r\n\r\n");
        if (head == std::string::npos) return false;
        const auto length = got.find("Content-Length: ");
        if (length == std::string::npos || length > head) give_up("edit_load: no length");
        return got.size() >= head + 4 + std::strtoul(got.c_str() + length + 16, nullptr, 10);
    }
};

int connect_to(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof address.sun_path) give_up("edit_load: path too long");
    std::strcpy(address.sun_path, path);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        give_up(path);
    return fd;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 4) {
        std::fputs("edit_load SOCKET EDITORS SECONDS [MESSAGE_BYTES]\n", stderr);
        return 2;
    }
    std::vector<Editor> editors(std::strtoul(arguments[2], nullptr, 10));
    const std::chrono::duration<double> length{std::strtod(arguments[3], nullptr)};
    const int poll = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < editors.size(); ++i) {
        editors[i].fd = connect_to(arguments[1]);
        editors[i].next = i;
        editors[i].step = editors.size();
        if (count > 4) editors[i].message.assign(std::strtoul(arguments[4], nullptr, 10), 'm');
        epoll_event event{EPOLLIN, {}};
        event.data.u64 = i;
        if (::epoll_ctl(poll, EPOLL_CTL_ADD, editors[i].fd, &event) != 0) give_up("epoll");
    }
    std::vector<double> waits;
    std::size_t others = 0;
    std::string other;
    const auto began = Clock::now();
    for (auto& editor : editors) editor.send_next();
    while (Clock::now() - began < length) {
        epoll_event events[64];
        const int ready = ::epoll_wait(poll, events, 64, 1000);
        for (int i = 0; i < ready; ++i) {
            Editor& editor = editors[events[i].data.u64];
            if (!editor.receive()) continue;
            const std::chrono::duration<double, std::micro> wait = Clock::now() - editor.sent;
            if (editor.got.find(acknowledged) != std::string::npos) {
                waits.push_back(wait.count());
            } else {
                ++others;
                other = editor.got;
            }
            editor.send_next();
        }
    }
    const std::chrono::duration<double> took = Clock::now() - began;
    std::sort(waits.begin(), waits.end());
    const auto at = [&](double part) {
        return waits.empty()
                   ? 0.0
                   : waits[static_cast<std::size_t>(static_cast<double>(waits.size() - 1) * part)];
    };
    std::printf("%.0f %.0f %.0f %zu\n", static_cast<double>(waits.size()) / took.count(), at(0.5),
                at(0.99), others);
    if (others != 0) std::fprintf(stderr, "edit_load: another answer: %s\n", other.c_str());
    return 0;
}
