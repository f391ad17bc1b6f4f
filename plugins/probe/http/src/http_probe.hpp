#pragma once

#include "attempt.hpp"
#include <umbra/sdk/probe.hpp>
#include <umbra/threaded/threaded_probe.hpp>

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::http_probe {

inline constexpr const char* methods[] = {"GET", "HEAD", nullptr};

struct HttpOptions {
    std::string url;
    std::string method;
    std::string expect;
    std::optional<std::string> contains;
    Duration timeout{};
    std::optional<Duration> degraded_after;
    std::vector<std::string> headers;
    std::optional<std::string> ca_file;
};

/// Makes a request on a connection of its own for every check.
class Requests {
public:
    static constexpr std::size_t checks_max = 64;

    Requests(boost::asio::io_context& io, const Context& context, const HttpOptions& options);
    Result<std::unique_ptr<threaded::Work>> begin(const std::shared_ptr<threaded::Check>& check);

private:
    boost::asio::io_context& io_;
    const Question question_;
    boost::asio::ssl::context tls_;
};

/// The plugin. stop() may have to wait for the resolver.
class HttpProbe final : public threaded::ThreadedProbe<Requests, HttpOptions> {
public:
    using ThreadedProbe::ThreadedProbe;

    static constexpr PluginInfo info{"http", "0.1.0",
                                     "Healthy while a URL answers with an expected status."};
    static constexpr auto schema = umbra::options<Options>(
        umbra::opt<&Options::url>("url")
            .type(UMBRA_OPT_URL)
            .required()
            .help("What to ask for, http or https; the certificate is verified."),
        umbra::opt<&Options::method>("method").choices(methods).def("\"GET\"").help("How to ask."),
        umbra::opt<&Options::expect>("expect")
            .def("\"200-299\"")
            .help("Status codes that count as healthy, for example \"200, 401\"; no redirect is "
                  "followed."),
        umbra::opt<&Options::contains>("contains")
            .help("Text that the answer has to contain, in its first MiB."),
        umbra::opt<&Options::timeout>("timeout")
            .def("\"2s\"")
            .range("\"10ms\"", "\"60s\"")
            .live()
            .help("How long an answer may take before the target counts as down."),
        umbra::opt<&Options::degraded_after>("degraded_after")
            .range("\"1ms\"", "\"60s\"")
            .help("An answer that takes longer means degraded."),
        umbra::opt<&Options::headers>("headers").help(
            "Sent with the request, each \"Name: value\"."),
        umbra::opt<&Options::ca_file>("ca_file")
            .type(UMBRA_OPT_PATH)
            .help("PEM file of the authorities to believe, instead of the system's."));
};

}  // namespace umbra::http_probe
