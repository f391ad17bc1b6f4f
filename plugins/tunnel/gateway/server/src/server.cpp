#include "server.hpp"

#include "log_room.hpp"
#include "requests.hpp"
#include "server_impl.hpp"
#include <umbra/base/clock.hpp>
#include <umbra/base/durable_file.hpp>
#include <umbra/base/memory.hpp>
#include <umbra/base/notify.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace umbra::gateway {

using namespace std::chrono_literals;

namespace {

constexpr Duration start_length = std::chrono::seconds{3};
constexpr std::size_t roster_bytes_max = 16 * 1024 * 1024;
constexpr Duration tick_every = 50ms;
/// A turn that comes later than this after its time: what was not heard meanwhile proves nothing.
constexpr Duration late_after = 50ms;

}  // namespace

Server::Server(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

Result<Server> Server::start(Settings settings) {
    auto impl = std::make_unique<Impl>(std::move(settings));
    if (auto opened = impl->open(); !opened) return opened.error();
    return Server(std::move(impl));
}

Result<Done> Server::run() { return impl_->run(); }

Server::Impl::Impl(Settings settings)
    : context_(std::move(settings)),
      signals_(context_.io, SIGTERM, SIGINT),
      ticker_(context_.io),
      started_(base::boot_now()),
      last_turn_(started_) {
    context_.fail = [this](Error error) {
        if (!failure_) failure_ = std::move(error);
        context_.io.stop();
    };
    context_.notice_gap = [this] { notice_gap(); };
}

Server::Impl::~Impl() {
    if (admin_) admin_->stop();
    context_.disk.join();
    if (lock_ >= 0) ::close(lock_);
}

Result<Done> Server::Impl::open() {
    if (auto done = read_state(); !done) return done;
    Reception::Desk desk;
    desk.roster = [this]() -> const Roster& { return roster_; };
    desk.pair = [this](const std::string& name) { return pair(name); };
    desk.change = [this](Edit edit, Edited done) { change(std::move(edit), std::move(done)); };
    reception_ = std::make_unique<Reception>(context_, *identity_, std::move(desk));
    if (auto done = open_doors(); !done) return done;
    return open_admin();
}

Result<Done> Server::Impl::read_state() {
    const auto& dir = context_.settings.data_dir;
    if (auto made = base::make_private_directory(dir); !made) return made;
    if (auto made = base::make_private_directory(dir / "register"); !made) return made;
    const auto lock = dir / "lock";
    lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0)
        return Error{Errc::unavailable,
                     "cannot open " + lock.string() + ": " + std::strerror(errno)};
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0)
        return Error{Errc::conflict,
                     "another umbra-gateway runs on " + dir.string() + "; stop it first"};
    auto identity = TlsIdentity::load_or_create(dir, context_.settings.name, Side::gateway);
    if (!identity) return identity.error();
    identity_ = std::move(identity).value();

    const auto path = dir / "enrolled.json";
    const auto text = base::read_file(path, roster_bytes_max);
    if (text) {
        auto roster = Roster::parse(text.value());
        if (!roster)
            return Error{Errc::data_loss,
                         path.string() + " is damaged: " + roster.error().message +
                             "; restore it from a backup, or remove it and invite the nodes again"};
        roster_ = std::move(roster).value();
    } else if (text.error().sys_errno != ENOENT) {
        return text.error();
    }
    if (auto made = pair(default_pair); !made) return made.error();
    for (const auto& name : roster_.pairs())
        if (auto made = pair(name); !made) return made.error();
    return Done{};
}

Result<Pair*> Server::Impl::pair(const std::string& name) {
    if (const auto found = pairs_.find(name); found != pairs_.end()) return found->second.get();
    if (pairs_.size() >= pairs_max)
        return Error{Errc::exhausted,
                     "this gateway serves " + std::to_string(pairs_max) + " pairs already"};
    auto opened = RegisterFile::open(context_.settings.data_dir / "register" / (name + ".rec"),
                                     roster_.pairs().contains(name));
    if (!opened) return opened.error();
    auto made =
        std::make_unique<Pair>(context_, name, std::move(opened).value(), roster_.members(name));
    return pairs_.emplace(name, std::move(made)).first->second.get();
}

Result<Done> Server::Impl::add_door(const std::string& what, const config::Endpoint& address,
                                    Door::OnSocket on_socket) {
    auto door = Door::open(context_, what, address, std::move(on_socket));
    if (!door) return door.error();
    doors_[what] = std::move(door).value();
    return Done{};
}

Result<Done> Server::Impl::open_doors() {
    using boost::asio::ip::tcp;
    const auto& settings = context_.settings;
    auto done = add_door("listen", settings.listen,
                         [this](tcp::socket socket) { reception_->receive(std::move(socket)); });
    if (!done) return done;
    for (const auto& listener : settings.listeners) {
        auto serving = pair(listener.pair);
        if (!serving) return serving.error();
        done = add_door(
            "listener " + listener.name, listener.address,
            [this, serving = serving.value(), at = listener.virtual_at](tcp::socket socket) {
                auto client = std::make_shared<Client>(std::move(socket));
                ++context_.counters.clients;
                client->address = peer_of(client->socket);
                client->host = at.host;
                client->port = at.port;
                serving->serve(std::move(client));
            });
        if (!done) return done;
    }
    const auto serve = [this](std::shared_ptr<Client> client) {
        pairs_.at(default_pair)->serve(std::move(client));
    };
    if (settings.socks5) {
        done = add_door("socks5", *settings.socks5, [this, serve](tcp::socket socket) {
            ++context_.counters.clients;
            read_socks5(context_, std::move(socket), serve);
        });
        if (!done) return done;
    }
    if (settings.http_connect)
        done = add_door("http_connect", *settings.http_connect, [this, serve](tcp::socket socket) {
            ++context_.counters.clients;
            read_http_connect(context_, std::move(socket), serve);
        });
    return done;
}

Result<Done> Server::Impl::open_admin() {
    base::HttpServer::Settings settings;
    settings.address = context_.settings.admin;
    settings.body_max = 64 * 1024;
    // The server has a thread of its own; what it asks is answered on the loop.
    auto started = base::HttpServer::start(std::move(settings), [this](base::HttpRequest request,
                                                                       base::Responder answer) {
        boost::asio::post(context_.io, [this, request = std::move(request),
                                        answer = std::move(answer)] { admin(request, answer); });
    });
    if (!started) return started.error();
    admin_ = std::move(started).value();
    return Done{};
}

Result<Done> Server::Impl::run() {
    signals_.async_wait([this](boost::system::error_code error, int signal) {
        if (error) return;
        base::info(log_room, "stops on signal {}", signal);
        stop();
    });
    last_turn_ = base::boot_now();
    tick();
    base::info(log_room, "gateway {} listens on {}, key {}", context_.settings.name,
               doors_.at("listen")->address(), identity_->pin());
    if (auto told = base::notify("READY=1"); !told)
        base::warn(log_room, "cannot tell the service manager: {}", told.error().message);
    boost::asio::steady_timer started{context_.io, start_length};
    started.async_wait([](boost::system::error_code error) {
        if (!error) base::release_start_pages();
    });
    context_.io.run();
    if (failure_) return *failure_;
    return Done{};
}

void Server::Impl::notice_gap() {
    const auto now = base::boot_now();
    const auto gap = now - last_turn_ - tick_every;
    last_turn_ = now;
    if (gap <= late_after) return;
    base::warn(log_room, "the loop stood still for {} ms; silence in that time is not counted",
               std::chrono::duration_cast<std::chrono::milliseconds>(gap).count());
    for (const auto& [name, pair] : pairs_) pair->stalled(gap);
}

void Server::Impl::tick() {
    notice_gap();
    for (const auto& [name, pair] : pairs_) pair->tick();
    ticker_.expires_after(tick_every);
    ticker_.async_wait([this](boost::system::error_code error) {
        if (!error) tick();
    });
}

void Server::Impl::stop() {
    (void)base::notify("STOPPING=1");
    for (const auto& [what, door] : doors_) door->close();
    reception_->stop();
    for (const auto& [name, pair] : pairs_) pair->stop();
    // What was said last is on its way: links send before they close.
    context_.io.stop();
}

// --- the roster ---------------------------------------------------------------------------------

void Server::Impl::change(Edit edit, Edited done) {
    changes_.emplace_back(std::move(edit), std::move(done));
    if (!changing_) change_next();
}

void Server::Impl::change_next() {
    while (!changes_.empty()) {
        auto [edit, done] = std::move(changes_.front());
        changes_.pop_front();
        Roster next = roster_;
        if (auto edited = edit(next); !edited) {
            done(edited);
            continue;
        }
        changing_ = true;
        const auto path = context_.settings.data_dir / "enrolled.json";
        auto text = next.to_json();
        context_.on_disk(
            [path, text = std::move(text)] { return base::replace_file(path, text); },
            [this, next = std::move(next), done = std::move(done)](Result<Done> stored) mutable {
                changing_ = false;
                if (!stored && stored.error().code == Errc::data_loss)
                    return context_.fail(stored.error());
                if (stored) roster_ = std::move(next);
                done(std::move(stored));
                if (!changing_) change_next();
            });
        return;
    }
}

}  // namespace umbra::gateway
