#include "tcp_probe.hpp"

#include <umbra/sdk/deadline.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <exception>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace umbra::tcp_probe {

namespace {

void block_signals() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT})
        sigdelset(&all, fault);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

Endpoint endpoint_of(const std::string& address) {
    auto endpoint = parse_endpoint(address);
    if (!endpoint.ok()) throw Failure{endpoint.error()};
    return std::move(endpoint).value();
}

}  // namespace

TcpProbe::TcpProbe(Context, Options options)
    : endpoint_(endpoint_of(options.address)),
      timeout_(options.timeout),
      numeric_(numeric_addresses(endpoint_)),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (wake_fd_ < 0)
        throw Failure{Error{
            Errc::exhausted,
            "cannot make an event descriptor: " + std::generic_category().message(errno), errno}};
    try {
        poller_ = std::thread{[this] { poll_checks(); }};
    } catch (...) {
        ::close(wake_fd_);
        throw;
    }
}

TcpProbe::~TcpProbe() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake();
    poller_.join();
    ::close(wake_fd_);
}

void TcpProbe::change_options(const Options& options, Reply<Done> reply) {
    timeout_ = options.timeout;
    reply.ok();
}

void TcpProbe::check(Reply<ProbeResult> reply) {
    const auto began = deadline_clock();
    const auto deadline = answer_by(began, timeout_, reply.deadline_ns());
    {
        const std::lock_guard lock{mutex_};
        if (stopping_) {
            reply.fail(Errc::closed, "the probe is stopping");
            return;
        }
        if (count_ >= checks_max) {
            reply.fail(Errc::exhausted,
                       "already " + std::to_string(checks_max) + " checks are in flight");
            return;
        }
        ++count_;
        fresh_.push_back({std::move(reply), began, deadline, std::nullopt});
    }
    wake();
}

void TcpProbe::stop(Reply<Done> reply) {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        stopped_ = std::move(reply);
    }
    wake();
}

void TcpProbe::wake() const {
    const std::uint64_t one = 1;
    // It can only fail when the counter is full, and then the poller is awake.
    [[maybe_unused]] const auto put = ::write(wake_fd_, &one, sizeof one);
}

void TcpProbe::poll_checks() {
    block_signals();
    for (;;) {
        try {
            if (!take_news()) break;
            turn(deadline_clock());
            wait_for_events(deadline_clock());
        } catch (const std::exception& failure) {
            // Out of memory or of threads: a failure of these checks, and no reason to stop.
            fail_all(failure.what());
        }
    }
    end();
}

bool TcpProbe::take_news() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_fd_, &count, sizeof count);
    Checks fresh;
    std::optional<Result<std::vector<Address>>> resolved;
    {
        const std::lock_guard lock{mutex_};
        if (stopping_) return false;
        fresh.swap(fresh_);
        resolved.swap(resolved_);
    }
    if (resolved) {
        asking_ = false;
        for (auto& check : checks_)
            if (!check.attempt) start(check, *resolved);
    }
    if (!numeric_.empty())
        for (auto& check : fresh) start(check, numeric_);
    checks_.splice(checks_.end(), fresh);

    const bool has_question = std::any_of(checks_.begin(), checks_.end(), [](const Check& check) {
        return !check.attempt && check.reply;
    });
    if (has_question && !asking_) {
        if (!resolver_.joinable()) resolver_ = std::thread{[this] { look_up_names(); }};
        asking_ = true;
        {
            const std::lock_guard lock{mutex_};
            question_ = true;
        }
        asked_.notify_one();
    }
    return true;
}

void TcpProbe::start(Check& check, const Result<std::vector<Address>>& addresses) {
    if (addresses.ok()) {
        check.attempt.emplace(addresses.value(), check.deadline, check.deadline - check.began);
        return;
    }
    give_back_place();
    check.reply.ok(
        {Health::down, deadline_clock() - check.began, one_line(addresses.error().message)});
}

/// Before the answer, so that who was answered finds the place free.
void TcpProbe::give_back_place() {
    const std::lock_guard lock{mutex_};
    --count_;
}

void TcpProbe::turn(Instant now) {
    for (auto at = checks_.begin(); at != checks_.end();) {
        if (at->attempt) {
            if (auto verdict = at->attempt->advance(now)) {
                give_back_place();
                at->reply.answer(*verdict);
            }
        } else if (at->reply && now >= at->deadline) {
            give_back_place();
            at->reply.ok({Health::down, now - at->began,
                          one_line("no address for \"" + endpoint_.host + "\" in time")});
        }
        at = at->reply ? std::next(at) : checks_.erase(at);
    }
}

void TcpProbe::fail_all(const char* why) {
    for (auto& check : checks_) {
        give_back_place();
        check.reply.fail(Errc::exhausted, why);
    }
    checks_.clear();
}

void TcpProbe::wait_for_events(Instant now) {
    std::vector<pollfd> fds{{wake_fd_, POLLIN, 0}};
    std::optional<Instant> due;
    for (const auto& check : checks_) {
        const auto when = check.attempt ? check.attempt->due() : check.deadline;
        due = due ? std::min(*due, when) : when;
        if (check.attempt) fds.push_back({check.attempt->fd(), POLLOUT, 0});
    }
    timespec left{};
    if (due) {
        const auto wait = std::max(*due - now, Duration::zero());
        left.tv_sec = static_cast<time_t>(wait.count() / 1'000'000'000);
        left.tv_nsec = static_cast<long>(wait.count() % 1'000'000'000);
    }
    (void)::ppoll(fds.data(), fds.size(), due ? &left : nullptr, nullptr);
}

void TcpProbe::end() {
    Checks open;
    {
        const std::lock_guard lock{mutex_};
        open.swap(fresh_);
    }
    open.splice(open.end(), checks_);
    for (auto& check : open) check.reply.fail(Errc::closed, "the probe is stopping");
    open.clear();
    asked_.notify_one();
    if (resolver_.joinable()) resolver_.join();
    Reply<Done> stopped;
    {
        const std::lock_guard lock{mutex_};
        stopped = std::move(stopped_);
    }
    // The last act of this thread; the destructor joins it.
    if (stopped) stopped.ok();
}

void TcpProbe::look_up_names() {
    block_signals();
    std::unique_lock lock{mutex_};
    for (;;) {
        asked_.wait(lock, [this] { return stopping_ || question_; });
        if (stopping_) return;
        question_ = false;
        lock.unlock();
        auto answer = resolve(endpoint_);
        lock.lock();
        resolved_ = std::move(answer);
        lock.unlock();
        wake();
        lock.lock();
    }
}

}  // namespace umbra::tcp_probe
