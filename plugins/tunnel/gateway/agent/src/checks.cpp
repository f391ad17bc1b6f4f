#include "checks.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace umbra::gateway {

namespace asio = boost::asio;

namespace {

std::string text_of_range(const Mapping& mapping) {
    const int ports =
        std::max<int>(mapping.virtual_port_last, mapping.virtual_port) - mapping.virtual_port + 1;
    return ports == 1 ? "" : "the first of " + std::to_string(ports) + " ports";
}

}  // namespace

Checks::Checks(BackendPlace place, std::uint64_t epoch, Call call, Done done)
    : place_(std::move(place)), epoch_(epoch), call_(std::move(call)), done_(std::move(done)) {}

std::shared_ptr<Checks> Checks::start(BackendPlace place, const TunnelSpec& spec,
                                      std::uint64_t epoch, Call call, Done done) {
    auto checks =
        std::make_shared<Checks>(std::move(place), epoch, std::move(call), std::move(done));
    for (const Mapping& mapping : spec.mappings) checks->plan(mapping);
    for (const Channel& channel : spec.channels) checks->plan(channel);
    asio::post(checks->place_.io, [checks] { checks->work(); });
    return checks;
}

void Checks::plan(const Mapping& mapping) {
    for (const Backend& backend : backends_of(mapping)) {
        auto alone = std::make_shared<Mapping>(mapping);
        alone->internal_host = backend.host;
        alone->internal_port = backend.port;
        alone->backends = {{backend.host, backend.port, false}};
        const Endpoint target{backend.host, backend.port};
        TunnelCheck check{TunnelCheck::Kind::mapping, mapping.name, to_text(target)};
        if (!mapping.active) {
            check.outcome = TunnelCheck::Outcome::skipped;
            check.detail = "suspended";
        } else {
            planned_.emplace(results_.size(), Attempt{std::move(alone), target});
        }
        results_.push_back(std::move(check));
    }
}

void Checks::plan(const Channel& channel) {
    TunnelCheck check{TunnelCheck::Kind::channel, channel.name, channel.target};
    auto target = parse_endpoint(channel.target);
    if (epoch_ == 0) {
        check.outcome = TunnelCheck::Outcome::skipped;
        check.detail = "only the active instance may ask the gateway";
    } else if (target) {
        planned_.emplace(results_.size(), Attempt{nullptr, std::move(*target)});
    } else {
        check.detail = target.error().message;
    }
    results_.push_back(std::move(check));
}

void Checks::work() {
    if (!done_) return;
    while (!planned_.empty() && running_.size() < checks_at_once) {
        const std::size_t at = planned_.begin()->first;
        auto& attempt = running_.insert(planned_.extract(planned_.begin())).position->second;
        attempt.begun = boot_now();
        attempt.mapping ? try_backend(at) : try_channel(at);
    }
    if (running_.empty() && planned_.empty())
        if (const auto done = std::exchange(done_, nullptr)) done(std::move(results_));
}

void Checks::try_backend(std::size_t at) {
    auto& attempt = running_.at(at);
    attempt.dial = BackendDial::start(
        place_, {attempt.mapping, 0},
        [me = shared_from_this(), at](Result<BackendConnection> result) {
            const Mapping& mapping = *me->running_.at(at).mapping;
            me->finish(at, result.ok(), result ? text_of_range(mapping) : result.error().message);
        });
}

void Checks::try_channel(std::size_t at) {
    auto& attempt = running_.at(at);
    auto opened = call_({epoch_, attempt.target.host, attempt.target.port, "umbra tunnel check"});
    // Later, like every outcome: the caller counts what is running.
    if (!opened)
        return asio::post(place_.io, [me = shared_from_this(), at, why = opened.error().message] {
            me->finish(at, false, why);
        });
    attempt.stream = std::move(*opened);
    attempt.timer = std::make_unique<asio::steady_timer>(place_.io, channel_check_limit);
    attempt.timer->async_wait([me = shared_from_this(), at](boost::system::error_code error) {
        if (!error) me->finish(at, false, "the gateway did not answer in time");
    });
    attempt.stream->listen(
        {.on_status =
             [me = shared_from_this(), at](const OpenStatus& status) {
                 const bool ok = status.code == StatusCode::ok;
                 me->finish(at, ok,
                            ok ? "" : std::string(name_of(status.code)) + ", " + status.text);
             },
         .on_closed = [me = shared_from_this(), at](
                          StreamEnd, const std::string& why) { me->finish(at, false, why); }});
}

void Checks::finish(std::size_t at, bool ok, std::string detail) {
    auto node = running_.extract(at);
    if (!done_ || node.empty()) return;
    Attempt& attempt = node.mapped();
    if (attempt.timer) attempt.timer->cancel();
    if (attempt.stream) {
        attempt.stream->listen({});
        attempt.stream->reset("it was only tried");
    }
    TunnelCheck& result = results_[at];
    result.outcome = ok ? TunnelCheck::Outcome::ok : TunnelCheck::Outcome::failed;
    result.latency = boot_now() - attempt.begun;
    result.detail = std::move(detail);
    work();
}

void Checks::cancel() {
    done_ = nullptr;
    planned_.clear();
    for (auto& [at, attempt] : std::exchange(running_, {})) {
        if (attempt.dial) attempt.dial->cancel();
        if (attempt.timer) attempt.timer->cancel();
        if (attempt.stream) {
            attempt.stream->listen({});
            attempt.stream->reset("it was only tried");
        }
    }
}

}  // namespace umbra::gateway
