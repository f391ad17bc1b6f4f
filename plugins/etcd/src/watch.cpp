#include <umbra/etcd/watch.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

namespace umbra::etcd {

Watch::Watch(ClientSettings settings, const std::string& key, const std::string& end, Events events)
    : settings_(std::move(settings)),
      request_(watch_request(key, end)),
      events_(std::move(events)),
      connection_(settings_.tls, settings_.connect_timeout, settings_.request_timeout) {}

Watch::~Watch() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        wake_.notify_all();
    }
    connection_.interrupt();
    if (thread_.joinable()) thread_.join();
}

Result<Done> Watch::start() {
    if (auto loaded = connection_.load_files(); !loaded) return loaded;
    // Signals are somebody else's business.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return Done{};
}

void Watch::run() {
    for (;;) {
        (void)follow();  // Whoever asks etcd beside this says what is wrong with it.
        connection_.close();
        if (std::exchange(told_, false)) {
            events_.on_state(false);
            pause_ = watch_pause_min;
        }
        member_ = (member_ + 1) % settings_.endpoints.size();
        std::unique_lock lock{mutex_};
        if (wake_.wait_for(lock, pause_, [this] { return stopping_; })) return;
        pause_ = std::min(pause_ * 2, watch_pause_max);
    }
}

Error Watch::follow() {
    if (auto connected = connection_.connect(settings_.endpoints[member_]); !connected)
        return connected.error();
    auto token = authenticate();
    if (!token) return token.error();
    auto begun = connection_.stream("/v3/watch", request_, *token);
    if (!begun) return begun.error();
    if (begun->status != 200) return {Errc::denied, read_refusal(begun->body).message};
    std::string lines = std::move(begun->body);
    for (;;) {
        if (auto understood = read(lines); !understood) return understood.error();
        if (lines.size() > watch_line_bytes_max)
            return {Errc::exhausted, "etcd tells of a change that is too large"};
        auto more = connection_.next_part();
        if (!more) return more.error();
        lines += *more;
    }
}

Result<std::string> Watch::authenticate() {
    if (settings_.user.empty()) return std::string{};
    const auto answer = connection_.post(
        "/v3/auth/authenticate", authenticate_request(settings_.user, settings_.password), {});
    if (!answer) return answer.error();
    return read_token(answer->body);
}

/// Takes the whole lines away.
Result<Done> Watch::read(std::string& lines) {
    std::size_t from = 0;
    for (std::size_t end; (end = lines.find('\n', from)) != std::string::npos; from = end + 1) {
        if (end == from) continue;
        const auto news = read_watch(std::string_view(lines).substr(from, end - from));
        if (!news) return news.error();
        if (news->canceled) return Error{Errc::closed, "etcd ended the watch"};
        if (news->created) events_.on_state(told_ = true);
        for (const auto& key : news->keys) events_.on_key(key);
    }
    lines.erase(0, from);
    return Done{};
}

}  // namespace umbra::etcd
