#include "http_probe.hpp"

#include <umbra/process/backoff.hpp>
#include <umbra/process/lines.hpp>

#include <algorithm>
#include <ctime>
#include <utility>

namespace umbra::http_probe {

namespace {

namespace ssl = boost::asio::ssl;

/// The host's own deadline is met by this much, so that our answer is the one that counts.
constexpr Duration answer_margin = std::chrono::milliseconds{100};

/// The clock of the deadlines of the binary interface.
Instant now_monotonic() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return Instant{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

template <class T>
T value_or_throw(Result<T> result) {
    if (!result) throw Failure{result.error()};
    return std::move(*result);
}

Question question_of(const HttpProbe::Options& options) {
    Question question{value_or_throw(parse_url(options.url)),
                      options.method == "HEAD",
                      value_or_throw(ExpectedStatus::parse(options.expect)),
                      options.expect,
                      options.contains,
                      options.degraded_after,
                      {}};
    if (question.contains && question.head)
        throw Failure{Errc::invalid,
                      "an answer to HEAD has no body that could contain something; "
                      "use method = \"GET\" with contains"};
    for (const auto& header : options.headers)
        question.headers.push_back(value_or_throw(parse_header(header)));
    return question;
}

void believe(ssl::context& tls, const HttpProbe::Options& options) {
    boost::system::error_code error;
    if (options.ca_file) {
        tls.load_verify_file(*options.ca_file, error);
    } else {
        tls.set_default_verify_paths(error);
    }
    if (error)
        throw Failure{Errc::invalid, "cannot read authorities from " +
                                         options.ca_file.value_or("the system's files") + ": " +
                                         error.message()};
    tls.set_verify_mode(ssl::verify_peer);
    tls.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                    ssl::context::no_tlsv1_1);
}

}  // namespace

HttpProbe::HttpProbe(Context context, Options options)
    : question_(question_of(options)),
      tls_(ssl::context::tls_client),
      timeout_(options.timeout),
      loop_([context](const std::string& text) { context.error("internal error: " + text); }) {
    believe(tls_, options);
}

HttpProbe::~HttpProbe() {
    if (!stop_asked_) stop(Reply<Done>{});
}

void HttpProbe::check(Reply<ProbeResult> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the probe is stopping");
    loop_.post([this, reply = std::move(reply)]() mutable { start(std::move(reply)); });
}

void HttpProbe::change_options(const Options& options, Reply<Done> reply) {
    loop_.post([this, timeout = options.timeout, reply = std::move(reply)]() mutable {
        timeout_ = timeout;
        reply.ok();
    });
}

void HttpProbe::stop(Reply<Done> reply) {
    stop_asked_ = true;
    loop_.post([this, held = std::make_shared<Reply<Done>>(std::move(reply))] {
        for (const auto& run : std::exchange(runs_, {})) {
            run->attempt->cancel();
            run->timer.cancel();
            run->reply.fail(Errc::closed, "the probe is stopping");
        }
        loop_.finish([held] { held->ok(); });
    });
}

void HttpProbe::start(Reply<ProbeResult> reply) {
    if (runs_.size() >= checks_max)
        return reply.fail(Errc::exhausted,
                          "already " + std::to_string(checks_max) + " checks are in flight");
    const auto began = now_monotonic();
    auto patience = timeout_;
    if (const auto deadline = reply.deadline_ns(); deadline != 0)
        patience = std::min(patience, Instant{Duration{deadline}} - answer_margin - began);
    const auto run = std::make_shared<Run>(
        Run{std::move(reply), began, patience, boost::asio::steady_timer{loop_.io()}, nullptr});
    runs_.push_back(run);
    run->timer.expires_after(std::max(patience, Duration::zero()));
    run->timer.async_wait([this, run](boost::system::error_code error) {
        if (error || !run->reply) return;
        run->attempt->cancel();
        end(run, {Health::down, now_monotonic() - run->began,
                  process::one_line("no answer from " + question_.url.authority() + " within " +
                                        process::to_text(run->patience),
                                    detail_max)});
    });
    run->attempt = Attempt::start(
        loop_.io(), tls_, question_,
        [this, run](Health health, const std::string& detail, std::optional<Observed> observed) {
            const auto latency = now_monotonic() - run->began;
            end(run, observed
                         ? judge(question_, *observed, latency)
                         : ProbeResult{health, latency, process::one_line(detail, detail_max)});
        });
}

/// The place is given back before the answer, so that who was answered finds it free.
void HttpProbe::end(const RunPointer& run, const ProbeResult& result) {
    auto reply = std::move(run->reply);
    run->timer.cancel();
    runs_.remove(run);
    reply.ok(result);
}

}  // namespace umbra::http_probe
