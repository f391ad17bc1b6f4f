#pragma once

#include "integration/gateway/child.hpp"
#include "integration/gateway/link_fixture.hpp"
#include <umbra/base/http_client.hpp>
#include <umbra/gateway/invitation.hpp>

#include <boost/json.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace umbra::gateway::testing {

namespace json = boost::json;

/// The instance's side of links to the gateway: says what a test tells it to, and echoes streams.
struct Agent {
    Agent(asio::io_context& loop, std::string name, std::uint8_t process = 1)
        : io(loop), node(std::move(name)), identity(identity_in(dir.path(), Side::agent)) {
        boot.fill(process);
    }
    ~Agent() { drop(); }

    void dial(std::uint16_t port, std::function<void(Link&)> first_words) {
        tcp::socket socket(io);
        socket.connect({asio::ip::address_v4::loopback(), port});
        auto made = Link::make(std::move(socket), identity, {});
        link = made;
        // What a link calls must not keep it.
        made->start({.on_ready = [to = made.get(), first_words] { first_words(*to); },
                     .on_control =
                         [this, to = made.get()](ControlMessage message) {
                             if (std::holds_alternative<msg::Welcome>(message))
                                 to->admit(100ms, 10s, {});
                             control.push_back(std::move(message));
                         },
                     .on_open = [this](std::shared_ptr<Stream> stream) { opened(stream); },
                     .on_closed =
                         [this](const LinkClosed& why) {
                             ++closed;
                             closed_text = why.text;
                         }});
    }
    void hello(std::uint16_t port, std::uint64_t epoch_known = 0) {
        dial(port, [this, epoch_known](Link& to) {
            to.send(msg::Hello{.node = node,
                               .incarnation = node + "-disk",
                               .boot = boot,
                               .epoch_known = epoch_known});
        });
    }
    void enrol(std::uint16_t port, const Invitation& invitation, std::string as = {}) {
        dial(port, [this, invitation, as](Link& to) {
            Digest key{}, proof{};
            unsigned length = 0;
            EVP_Digest(invitation.secret.data(), 32, key.data(), &length, EVP_sha256(), nullptr);
            const auto exported = to.exporter(enrol_exporter_label, enrol_exporter_bytes);
            HMAC(EVP_sha256(), key.data(), 32, exported.value().data(), exported.value().size(),
                 proof.data(), &length);
            to.send(msg::Enrol{invitation.id, proof, as.empty() ? node : as});
        });
    }
    void opened(const std::shared_ptr<Stream>& stream) {
        requests.push_back(stream->request());
        if (refuse_with) return stream->refuse(*refuse_with, "as the test wants it");
        auto [inner, outer] = connected_pair(io, io);
        stream->attach(std::move(inner));
        echo(std::make_shared<tcp::socket>(std::move(outer)));
    }
    void echo(std::shared_ptr<tcp::socket> socket) {
        auto buffer = std::make_shared<std::array<char, 4096>>();
        socket->async_read_some(
            asio::buffer(*buffer), [this, socket, buffer](auto error, std::size_t count) {
                if (error) return;
                const auto said = node + ":" + std::string(buffer->data(), count);
                asio::write(*socket, asio::buffer(said), error);
                echo(socket);
            });
    }
    void drop() {
        if (const auto open = link.lock()) open->close("the test is done with it");
    }
    template <class Message>
    std::vector<Message> got() const {
        std::vector<Message> found;
        for (const auto& one : control)
            if (const auto* it = std::get_if<Message>(&one)) found.push_back(*it);
        return found;
    }
    template <class Message>
    void say(Message message) {
        if (const auto open = link.lock()) open->send(ControlMessage{std::move(message)});
    }

    asio::io_context& io;
    TempDir dir;
    std::string node;
    TlsIdentity identity;
    BootId boot{};
    std::weak_ptr<Link> link;
    std::vector<ControlMessage> control;
    std::vector<OpenRequest> requests;
    std::optional<StatusCode> refuse_with;
    std::size_t closed = 0;
    std::string closed_text;
    std::uint64_t asks = 0;
};

class ServerFixture : public ::testing::Test {
protected:
    ServerFixture() { write_config(); }
    void write_config(const std::string& park = "{ time = \"10s\", clients = 3 }") {
        std::ofstream(dir.path() / "gateway.toml")
            << "[gateway]\nname = \"cloud-1\"\ndata_dir = \"data\"\nlisten = \"127.0.0.1:0\"\n"
            << "socks5 = \"127.0.0.1:0\"\nhttp_connect = \"127.0.0.1:0\"\nlease = \"2s\"\n"
            << "park = " << park << "\n[admin]\nlisten = \"" << admin << "\"\n"
            << "[listener.crm]\naddress = \"127.0.0.1:0\"\nvirtual = \"crm.cloud:8080\"\n";
    }
    std::string config() const { return (dir.path() / "gateway.toml").string(); }
    std::filesystem::path log() const { return dir.path() / "log"; }

    /// Starts the program and waits for its word to the service manager.
    void start() {
        const auto path = (dir.path() / "notify").string();
        ::unlink(path.c_str());
        const int notify = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(::bind(notify, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        timeval limit{20, 0};
        ::setsockopt(notify, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        auto words = launcher;
        words.insert(words.end(), {UMBRA_GATEWAY_PROGRAM, "run", config()});
        program = Child(words, log(), path);
        std::array<char, 256> word{};
        const auto got = ::recv(notify, word.data(), word.size(), 0);
        ::close(notify);
        ASSERT_GT(got, 0) << text_of(log());
        ASSERT_EQ(std::string_view(word.data(), static_cast<std::size_t>(got)), "READY=1");
        const auto now = status();
        agents_port = port_of(now.at("listen"));
        crm_port = port_of(now.at("listeners").at(0).at("address"));
        socks_port = port_of(now.at("socks5"));
        connect_port = port_of(now.at("http_connect"));
    }
    static std::uint16_t port_of(const json::value& address) {
        const auto text = json::value_to<std::string>(address);
        return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
    }
    json::value ask(const std::string& method, const std::string& target,
                    const std::string& body = {}, unsigned expected = 200) {
        const auto answer = base::http_request(admin, {method, target, body}, 10s);
        if (!answer) throw std::runtime_error(answer.error().message);
        EXPECT_EQ(answer.value().status, expected) << answer.value().body;
        return json::parse(answer.value().body);
    }
    json::value status() { return ask("GET", "/v1/status"); }
    json::value pair() { return status().at("pairs").at(0); }
    std::int64_t counter(const char* name) {
        return status().at("counters").at(name).to_number<std::int64_t>();
    }
    Invitation invite(const std::string& node) {
        const auto answer = ask("POST", "/v1/invitations", "{\"node\":\"" + node + "\"}");
        return parse_invitation(json::value_to<std::string>(answer.at("invitation"))).value();
    }
    /// Runs the loop until `condition` holds. @return false after 20 s.
    bool until(const std::function<bool()>& condition) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            const auto done = io.poll() + (also_run != nullptr ? also_run->poll() : 0);
            if (done == 0) std::this_thread::sleep_for(100us);
            io.restart();
            if (also_run != nullptr) also_run->restart();
        }
        return true;
    }
    /// Enrols the node and says hello.
    void join(Agent& agent, std::uint64_t epoch_known = 0) {
        agent.enrol(agents_port, invite(agent.node));
        ASSERT_TRUE(until([&] { return agent.closed == 1; }));
        ASSERT_EQ(agent.got<msg::Enrolled>().size(), 1u) << agent.closed_text;
        agent.hello(agents_port, epoch_known);
        ASSERT_TRUE(until([&] { return agent.got<msg::Welcome>().size() == 1; }));
    }
    msg::ClaimAnswer claim(Agent& agent, std::uint64_t epoch,
                           ClaimReason reason = ClaimReason::first) {
        const auto before = agent.got<msg::ClaimAnswer>().size();
        agent.say(msg::Claim{++agent.asks, epoch, reason});
        EXPECT_TRUE(until([&] { return agent.got<msg::ClaimAnswer>().size() > before; }));
        return agent.got<msg::ClaimAnswer>().back();
    }
    void activate(Agent& agent, std::uint64_t epoch) {
        const auto before = agent.got<msg::Activated>().size();
        agent.say(msg::Activate{++agent.asks, epoch});
        ASSERT_TRUE(until([&] { return agent.got<msg::Activated>().size() > before; }));
    }
    /// alpha serves under epoch 1; beta stands by, in sync.
    void pair_runs() {
        start();
        join(alpha);
        join(beta);
        ASSERT_TRUE(claim(alpha, 1).granted);
        alpha.say(
            msg::InSync{++alpha.asks, 1, 1, {{"alpha", "alpha-disk"}, {"beta", "beta-disk"}}});
        ASSERT_TRUE(until([&] { return alpha.got<msg::Answer>().size() == 1; }));
        ASSERT_TRUE(alpha.got<msg::Answer>().front().accepted);
        activate(alpha, 1);
    }
    std::unique_ptr<User> client(std::uint16_t port) {
        tcp::socket socket(io);
        socket.connect({asio::ip::address_v4::loopback(), port});
        auto made = std::make_unique<User>(std::move(socket));
        made->read_on();
        return made;
    }
    /// Says something and waits until the whole answer is there.
    bool answers(User& user, const std::string& said, const std::string& expected) {
        user.in.clear();
        asio::write(user.outer, asio::buffer(said));
        return until([&] { return user.in == expected || user.eof || user.read_error; }) &&
               user.in == expected;
    }

    TempDir dir;
    const std::string admin = "unix:" + (dir.path() / "admin.sock").string();
    asio::io_context io;
    asio::io_context* also_run = nullptr;  ///< A loop of its own can be left standing.
    std::vector<std::string> launcher;     ///< What starts the program, such as prlimit.
    Child program;
    Agent alpha{io, "alpha"};
    Agent beta{io, "beta"};
    std::uint16_t agents_port = 0, crm_port = 0, socks_port = 0, connect_port = 0;
};

}  // namespace umbra::gateway::testing
