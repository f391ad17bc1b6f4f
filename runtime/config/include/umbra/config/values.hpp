#pragma once

#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace umbra::config {

/// Longest duration that is accepted; past it a number is a mistake, not a wish.
constexpr Duration duration_max = std::chrono::hours{24 * 365};

/// "150ms", "1s", "2m", "1h", also "1m30s" and "7d". Units: ns us ms s m h d. No fractions.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
/// In the largest unit that needs no fraction: "1500ms", "2s". What it returns can be parsed.
[[nodiscard]] std::string format_duration(Duration duration);

/// Bytes: "512", "64KiB", "1MiB", "2GiB", "1TiB", also "kB", "MB", "GB", "TB" of 1000.
[[nodiscard]] Result<std::int64_t> parse_size(std::string_view text);
[[nodiscard]] std::string format_size(std::int64_t bytes);

/// "host:port". IPv6 addresses stand in brackets in text and without them here.
struct Endpoint {
    std::string host;  ///< Lower case. Name, IPv4, or IPv6 without brackets.
    std::uint16_t port = 0;

    auto operator<=>(const Endpoint&) const = default;
};
/// Whether port 0, "any free one", makes sense.
enum class PortZero : bool { refused, allowed };

[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text,
                                              PortZero zero = PortZero::refused);
[[nodiscard]] std::string to_string(const Endpoint& endpoint);

/// "host:8080" or "host:8000-8010", both ends included.
struct EndpointRange {
    std::string host;
    std::uint16_t first = 0;
    std::uint16_t last = 0;

    auto operator<=>(const EndpointRange&) const = default;
};
/// Port 0 can not be part of a range.
[[nodiscard]] Result<EndpointRange> parse_endpoint_range(std::string_view text,
                                                         PortZero zero = PortZero::refused);
[[nodiscard]] std::string to_string(const EndpointRange& range);

/// Where the admin API listens: "unix:/absolute/path" or "https://host:port".
struct ListenAddress {
    std::string unix_path;  ///< Empty for https.
    Endpoint https;

    bool operator==(const ListenAddress&) const = default;
};
/// Longest path that fits into a Unix socket address.
constexpr std::size_t unix_path_max = 107;

[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);
[[nodiscard]] std::string to_string(const ListenAddress& address);

/// Scheme and the rest of "tcp://127.0.0.1:7401". For tcp, http and https the rest begins with a
/// valid host:port (http, https: the port may be missing).
[[nodiscard]] Result<std::string> parse_url(std::string_view text);

constexpr std::size_t name_bytes_max = 63;

/// Names of instances, tunnels, mappings, probes, listeners: 1 to 63 of a-z, 0-9 and `-`, with a
/// letter or digit at both ends. They become directory names, so nothing else is let in.
[[nodiscard]] bool is_name(std::string_view text);
/// What is wrong with `text` as a name, as a sentence; empty when it is one.
[[nodiscard]] std::string name_fault(std::string_view text);

}  // namespace umbra::config
