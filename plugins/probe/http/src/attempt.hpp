#pragma once

#include "url.hpp"
#include <umbra/sdk/probe.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::http_probe {

/// How much of an answer is looked at for `contains`; a longer one is `down`.
inline constexpr std::size_t body_bytes_max = std::size_t{1} << 20;

/// What is asked, and what has to come back.
struct Question {
    Url url;
    bool head = false;
    ExpectedStatus expected;
    std::string expected_text;  ///< As it was written.
    std::optional<std::string> contains;
    std::optional<Duration> degraded_after;
    std::vector<Header> headers;
};

/// What came back.
struct Observed {
    unsigned status = 0;
    std::string reason;  ///< Of the status line.
    std::string body;
    bool too_long = false;  ///< The body.
};

/// What an answer means. Pure.
ProbeResult judge(const Question& question, const Observed& observed, Duration latency);

/// One request on a connection of its own, from the name to the verdict. No redirect is followed.
/// Threads: the loop's.
class Attempt {
public:
    using OnVerdict = std::function<void(Health, std::string detail, std::optional<Observed>)>;

    virtual ~Attempt() = default;
    /// Ends it; no verdict comes any more.
    virtual void cancel() = 0;

    /// @param tls  Whom to believe; used for https only. Outlives the attempt, as `question` does.
    /// `on_verdict` is called once, with what was observed or with why nothing was (`down`).
    static std::shared_ptr<Attempt> start(boost::asio::io_context& io,
                                          boost::asio::ssl::context& tls, const Question& question,
                                          OnVerdict on_verdict);
};

}  // namespace umbra::http_probe
