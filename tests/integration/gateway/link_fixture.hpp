#pragma once

#include <umbra/gateway/link.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace umbra::gateway::testing {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

/// A directory that goes away with the test.
class TempDir {
public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "umbra-link-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

inline TlsIdentity identity_in(const std::filesystem::path& dir, Side side) {
    auto made = TlsIdentity::load_or_create(dir, "test", side);
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
}

/// Two connected sockets on loopback; the first one belongs to `io`, the second to `other`.
inline std::pair<tcp::socket, tcp::socket> connected_pair(asio::io_context& io,
                                                          asio::io_context& other) {
    tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    tcp::socket client(other);
    client.connect(acceptor.local_endpoint());
    return {acceptor.accept(), std::move(client)};
}

/// One end of a link and what it has seen.
struct End {
    asio::io_context io;
    std::shared_ptr<Link> link;
    bool ready = false;
    std::vector<ControlMessage> control;
    std::vector<std::shared_ptr<Stream>> offered;
    std::optional<LinkClosed> closed;

    LinkEvents events() {
        return {.on_ready = [this] { ready = true; },
                .on_control = [this](ControlMessage m) { control.push_back(std::move(m)); },
                .on_open = [this](std::shared_ptr<Stream> s) { offered.push_back(std::move(s)); },
                .on_closed = [this](const LinkClosed& c) { closed = c; }};
    }
};

/// A user of a stream: the outer end of a socket whose inner end the stream carries.
struct User {
    tcp::socket outer;
    std::string in, out;
    std::array<char, 65536> buffer{};
    bool eof = false;
    boost::system::error_code read_error;
    std::size_t written = 0;
    bool all_written = false;
    /// What is pending when a user goes is told later, and must not touch it.
    std::shared_ptr<int> here = std::make_shared<int>();

    explicit User(tcp::socket socket) : outer(std::move(socket)) {}
    void read_on() {
        outer.async_read_some(asio::buffer(buffer),
                              [this, still = std::weak_ptr(here)](auto error, std::size_t n) {
                                  if (still.expired()) return;
                                  in.append(buffer.data(), n);
                                  if (!error) return read_on();
                                  if (error == asio::error::eof)
                                      eof = true;
                                  else
                                      read_error = error;
                              });
    }
    void write(std::string text) {
        out = std::move(text);
        written = 0;
        write_on();
    }
    void write_on() {
        outer.async_write_some(asio::buffer(out).operator+=(written),
                               [this, still = std::weak_ptr(here)](auto error, std::size_t n) {
                                   if (still.expired()) return;
                                   written += n;
                                   if (error) return;
                                   if (written == out.size())
                                       all_written = true;
                                   else
                                       write_on();
                               });
    }
};

class LinkFixture : public ::testing::Test {
protected:
    TempDir gateway_dir, agent_dir;
    TlsIdentity gateway_identity = identity_in(gateway_dir.path(), Side::gateway);
    TlsIdentity agent_identity = identity_in(agent_dir.path(), Side::agent);
    std::size_t threads = 1;  ///< Of each end; 1: its own.
    std::optional<Loops> gateway_loops, agent_loops;
    End gateway, agent;

    /// A loop of another thread ends when nothing is left to do there.
    void TearDown() override {
        if (threads == 1) return;
        for (End* end : {&gateway, &agent}) {
            if (!end->link || end->closed) continue;
            end->link->close("the test is over");
            EXPECT_TRUE(until([&] { return end->closed.has_value(); }));
        }
    }
    [[nodiscard]] static Loop* loop_of(std::optional<Loops>& loops, std::size_t threads) {
        if (!loops)
            loops.emplace(threads, loops_max, [](const std::string& what) { FAIL() << what; });
        return loops->pick();
    }

    /// Runs both ends until `condition` holds. @return false after 20 s.
    bool until(const std::function<bool()>& condition) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            const std::size_t done = gateway.io.poll() + agent.io.poll();
            gateway.io.restart();
            agent.io.restart();
            if (done == 0) std::this_thread::sleep_for(50us);
        }
        return true;
    }
    /// Runs one end alone for a while, as if the other one's process were stopped.
    static void only(End& end, std::chrono::milliseconds time) {
        end.io.run_for(time);
        end.io.restart();
    }

    void start(LinkOptions agent_options = {}) {
        auto [inbound, outbound] = connected_pair(gateway.io, agent.io);
        gateway.link = Link::make(std::move(inbound), gateway_identity,
                                  {.loop = loop_of(gateway_loops, threads)});
        agent_options.loop = loop_of(agent_loops, threads);
        agent.link = Link::make(std::move(outbound), agent_identity, std::move(agent_options));
        gateway.link->start(gateway.events());
        agent.link->start(agent.events());
    }
    /// Past Hello and Welcome.
    void establish(Duration ping_every = {}, Duration dead_after = {}, Duration proof_for = {}) {
        start();
        ASSERT_TRUE(until([&] { return agent.ready && gateway.ready; }));
        agent.link->send(msg::Hello{.node = "alpha"});
        ASSERT_TRUE(until([&] { return !gateway.control.empty(); }));
        gateway.link->admit({}, {}, {});
        gateway.link->send(msg::Welcome{.gateway = "cloud"});
        ASSERT_TRUE(until([&] { return !agent.control.empty(); }));
        agent.link->admit(ping_every, dead_after, proof_for);
    }

    struct Path {
        std::shared_ptr<Stream> opener, acceptor;
        std::unique_ptr<User> user, backend;
        std::optional<OpenStatus> status;
        std::optional<StreamEnd> opener_end, acceptor_end;
        std::string opener_why;
    };
    std::vector<std::shared_ptr<Path>> paths;  ///< What is pending points into them.

    /// Opens a stream from the gateway, attached on both ends.
    std::shared_ptr<Path> path() {
        const auto p = std::make_shared<Path>();
        paths.push_back(p);
        const std::size_t before = agent.offered.size();
        auto opened = gateway.link->open({.epoch = 1, .host = "crm.cloud", .port = 80});
        EXPECT_TRUE(opened.ok());
        p->opener = *opened;
        // Of `paths`: a stream that held its path, which holds the stream, would keep both.
        p->opener->listen({.on_status = [p = p.get()](const OpenStatus& s) { p->status = s; },
                           .on_closed =
                               [p = p.get()](StreamEnd end, const std::string& why) {
                                   p->opener_end = end;
                                   p->opener_why = why;
                               }});
        auto [user_inner, user_outer] = connected_pair(gateway.io, gateway.io);
        p->opener->attach(std::move(user_inner));
        p->user = std::make_unique<User>(std::move(user_outer));
        EXPECT_TRUE(until([&] { return agent.offered.size() > before; }));
        p->acceptor = agent.offered.back();
        p->acceptor->listen(
            {.on_status = {}, .on_closed = [p = p.get()](StreamEnd end, const std::string&) {
                 p->acceptor_end = end;
             }});
        auto [backend_inner, backend_outer] = connected_pair(agent.io, agent.io);
        p->acceptor->attach(std::move(backend_inner));
        p->backend = std::make_unique<User>(std::move(backend_outer));
        EXPECT_TRUE(until([&] { return p->status.has_value(); }));
        return p;
    }
};

/// Bytes in which a shift, a swap or a repetition would show.
inline std::string pattern(std::size_t size, std::uint32_t seed) {
    std::string text(size, '\0');
    std::uint32_t x = seed * 2654435761u + 1;
    for (char& c : text) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        c = static_cast<char>(x & 0xff);
    }
    return text;
}

}  // namespace umbra::gateway::testing
