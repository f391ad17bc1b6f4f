#include "http_probe.hpp"

#include <umbra/process/lines.hpp>

#include <utility>

namespace umbra::http_probe {

namespace {

namespace ssl = boost::asio::ssl;

template <class T>
T value_or_throw(Result<T> result) {
    if (!result) throw Failure{result.error()};
    return std::move(*result);
}

Question question_of(const HttpOptions& options) {
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

void believe(ssl::context& tls, const HttpOptions& options) {
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

/// One request under way; nothing of it is left once it is canceled.
class Run final : public threaded::Work {
public:
    Run(std::shared_ptr<Attempt> attempt, std::weak_ptr<threaded::Check> check, std::string target)
        : attempt_(std::move(attempt)), check_(std::move(check)), target_(std::move(target)) {}

    void cancel() override {
        attempt_->cancel();
        if (const auto check = check_.lock()) check->finish({});
    }
    std::string missed(const std::string& within) const override {
        return "no answer from " + target_ + " within " + within;
    }

private:
    const std::shared_ptr<Attempt> attempt_;
    const std::weak_ptr<threaded::Check> check_;
    const std::string target_;
};

}  // namespace

Requests::Requests(boost::asio::io_context& io, const Context&, const HttpOptions& options)
    : io_(io), question_(question_of(options)), tls_(ssl::context::tls_client) {
    believe(tls_, options);
}

Result<std::unique_ptr<threaded::Work>> Requests::begin(
    const std::shared_ptr<threaded::Check>& check) {
    auto attempt = Attempt::start(
        io_, tls_, question_,
        [this, check](Health health, const std::string& detail, std::optional<Observed> observed) {
            const auto latency = check->latency();
            check->finish(observed ? judge(question_, *observed, latency)
                                   : ProbeResult{health, latency,
                                                 process::one_line(detail, threaded::detail_max)});
        });
    return std::unique_ptr<threaded::Work>(
        std::make_unique<Run>(std::move(attempt), check, question_.url.authority()));
}

}  // namespace umbra::http_probe
