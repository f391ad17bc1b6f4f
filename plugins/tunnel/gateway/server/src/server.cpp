#include "server.hpp"

#include "log_room.hpp"
#include "server_impl.hpp"
#include "tick.hpp"
#include <umbra/base/clock.hpp>
#include <umbra/base/descriptors.hpp>
#include <umbra/base/durable_file.hpp>
#include <umbra/base/memory.hpp>
#include <umbra/base/notify.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <sys/file.h>
#include <unistd.h>

namespace umbra::gateway {

using namespace std::chrono_literals;

namespace {

constexpr Duration start_length = std::chrono::seconds{3};
constexpr std::size_t roster_bytes_max = 16 * 1024 * 1024;
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
      keys_(context_,
            {.roster = [this]() -> const Roster& { return roster_; },
             .change = [this](Edit edit, Edited done) { change(std::move(edit), std::move(done)); },
             .each_link =
                 [this](const std::function<void(Session&)>& visit) {
                     for (const auto& [name, pair] : pairs_) pair->each_link(visit);
                 }}),
      ways_in_(context_,
               [this](const std::string& pair, std::shared_ptr<Client> client) {
                   pairs_.at(pair)->serve(std::move(client));
               }),
      channels_(context_),
      signals_(context_.io, SIGTERM, SIGINT, SIGHUP),
      ticker_(context_.io),
      started_(base::boot_now()),
      next_turn_(started_) {
    context_.fail = [this](Error error) {
        if (!failure_) failure_ = std::move(error);
        context_.io.stop();
    };
    context_.notice_gap = [this] { notice_gap(); };
    context_.welcomed = [this](Session& session) { keys_.welcomed(session); };
}

Server::Impl::~Impl() {
    if (admin_) admin_->stop();
    context_.disk.join();
    if (lock_ >= 0) ::close(lock_);
}

Result<Done> Server::Impl::open() {
    context_.descriptors = base::raise_descriptor_limit();
    if (auto done = read_state(); !done) return done;
    Reception::Desk desk;
    desk.roster = [this]() -> const Roster& { return roster_; };
    desk.identity = [this]() -> const TlsIdentity& { return keys_.identity(); };
    desk.keys = [this](const Pair& of, const std::shared_ptr<Session>& session,
                       const ControlMessage& message) {
        return keys_.control(session, of.name(), message);
    };
    desk.pair = [this](const std::string& name) { return pair(name); };
    desk.call_out = [this](const Pair& from, const Session& session,
                           std::shared_ptr<Stream> stream) {
        channels_.offer(from, session, std::move(stream));
    };
    desk.change = [this](Edit edit, Edited done) { change(std::move(edit), std::move(done)); };
    reception_ = std::make_unique<Reception>(context_, std::move(desk));
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
    if (auto opened = keys_.open(); !opened) return opened;

    if (const auto& shared = context_.settings.shared) {
        shared_ = std::make_unique<SharedRegister>(context_, *shared, keys_.id());
        context_.shared = shared_.get();
        if (auto opened = shared_->open(); !opened) return opened.error();
    }

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

/// What becomes of a connection.
Door::OnSocket Server::Impl::on_socket(const NewDoor& door) {
    using boost::asio::ip::tcp;
    if (!door.listener.empty())
        return [this, name = door.listener, port = door.address.port](tcp::socket socket) {
            ways_in_.listener(name, port, std::move(socket));
        };
    if (door.what == "listen")
        return [this](tcp::socket socket) { reception_->receive(std::move(socket)); };
    const auto take = door.what == "socks5" ? &WaysIn::socks5 : &WaysIn::http_connect;
    return [this, take](tcp::socket socket) { (ways_in_.*take)(std::move(socket)); };
}

Result<std::unique_ptr<Door>> Server::Impl::open_door(const NewDoor& door) {
    return Door::open(context_, door.what, door.address, on_socket(door));
}

Result<Done> Server::Impl::open_doors() {
    const auto& settings = context_.settings;
    ways_in_.configure();
    channels_.configure();
    std::vector<NewDoor> wanted{{"listen", settings.listen}};
    for (const auto& listener : settings.listeners) {
        if (auto serving = pair(listener.pair); !serving) return serving.error();
        std::ranges::move(doors_of(listener), std::back_inserter(wanted));
    }
    if (settings.socks5) wanted.push_back({"socks5", *settings.socks5});
    if (settings.http_connect) wanted.push_back({"http_connect", *settings.http_connect});
    for (const auto& door : wanted) {
        auto opened = open_door(door);
        if (!opened) return opened.error();
        doors_[door.what] = std::move(opened).value();
    }
    return Done{};
}

/// What it accepted a moment ago is still answered, so it lives for this turn of the loop.
void Server::Impl::close_door(std::unique_ptr<Door> door) {
    if (!door) return;
    door->close();
    boost::asio::post(context_.io, [held = std::shared_ptr<Door>(std::move(door))] {});
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

void Server::Impl::on_signals() {
    signals_.async_wait([this](boost::system::error_code error, int signal) {
        if (error) return;
        if (signal == SIGHUP) {
            reload();
            return on_signals();
        }
        base::info(log_room, "stops on signal {}", signal);
        stop();
    });
}

Result<Done> Server::Impl::run() {
    on_signals();
    next_turn_ = base::boot_now();
    tick();
    base::info(log_room, "gateway {} listens on {}, key {}", context_.settings.name,
               doors_.at("listen")->address(), keys_.identity().pin());
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
    const auto gap = base::boot_now() - next_turn_;
    if (gap <= late_after) return;
    base::warn(log_room, "the loop stood still for {} ms; silence in that time is not counted",
               std::chrono::duration_cast<std::chrono::milliseconds>(gap).count());
    for (const auto& [name, pair] : pairs_) pair->stalled(gap);
}

void Server::Impl::tick() {
    const Instant begun = base::boot_now();
    notice_gap();
    for (const auto& [name, pair] : pairs_) pair->tick();
    if (shared_) shared_->tick();
    const bool parked = std::ranges::any_of(
        pairs_, [](const auto& named) { return named.second->someone_is_parked(); });
    const Duration wait = tick_after(shared_ || parked, context_.settings.lease);
    next_turn_ = begun + wait;  // What the tick itself takes counts as standing still.
    ticker_.expires_after(wait);
    ticker_.async_wait([this](boost::system::error_code error) {
        if (!error) tick();
    });
}

void Server::Impl::stop() {
    (void)base::notify("STOPPING=1");
    for (const auto& [what, door] : doors_) door->close();
    reception_->stop();
    channels_.stop();
    for (const auto& [name, pair] : pairs_) pair->stop();
    if (shared_) shared_->stop();
    // What was said last is on its way: links send before they close.
    context_.io.stop();
}

// --- the file, read again -----------------------------------------------------------------------

void Server::Impl::reload() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
    (void)base::notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
    context_.on_disk([file = context_.settings.file] { return load_settings(file); },
                     [this](const SettingsLoad& load) {
                         if (!take(load))
                             base::error(log_room, "reload: the gateway runs on unchanged");
                         (void)base::notify("READY=1");
                     });
}

/// All that the file asks for, or nothing. @return False: nothing.
bool Server::Impl::take(const SettingsLoad& load) {
    for (const auto& line : load.problems.lines()) base::error(log_room, "reload: {}", line);
    if (!load.settings) return false;
    ReloadPlan plan = plan_reload(context_.settings, *load.settings);
    std::map<std::string, std::unique_ptr<Door>> opened;
    const auto give_up = [&](const Error& error) {
        base::error(log_room, "reload: {}", error.message);
        for (auto& [what, door] : opened) close_door(std::move(door));
        return false;
    };
    for (const auto& listener : plan.next.listeners)
        if (const auto serving = pair(listener.pair); !serving) return give_up(serving.error());
    for (const auto& wanted : plan.open) {
        auto door = open_door(wanted);
        if (!door) return give_up(door.error());
        opened[wanted.what] = std::move(door).value();
    }
    context_.settings = std::move(plan.next);
    ways_in_.configure();
    channels_.configure();
    for (const auto& what : plan.close) {
        close_door(std::move(doors_[what]));
        doors_.erase(what);
    }
    for (auto& [what, door] : opened) close_door(std::exchange(doors_[what], std::move(door)));
    for (const auto& line : plan.live) base::info(log_room, "reload: applied: {}", line);
    for (const auto& line : plan.restart) base::warn(log_room, "reload: needs a restart: {}", line);
    if (plan.live.empty() && plan.restart.empty())
        base::info(log_room, "reload: nothing has changed in the file");
    return true;
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
