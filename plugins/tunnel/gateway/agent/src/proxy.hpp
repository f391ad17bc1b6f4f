#pragma once

#include <umbra/gateway/dial.hpp>
#include <umbra/sdk/result.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace umbra::gateway {

/// An HTTP proxy that links to the gateway go through (CONNECT, RFC 9110 9.3.6).
struct Proxy {
    Endpoint at;
    std::string user{};           ///< Empty: none.
    std::string password{};       ///< From the environment.
    std::string password_file{};  ///< Instead: read anew at each dial.
    std::string origin{};         ///< Who named it, for messages: "the option proxy".

    bool operator==(const Proxy&) const = default;
};

/// The environment variables that curl reads for an https address: lower case goes first.
struct ProxyEnvironment {
    std::string proxy;     ///< https_proxy, HTTPS_PROXY, all_proxy or ALL_PROXY.
    std::string name;      ///< Which of them.
    std::string no_proxy;  ///< no_proxy or NO_PROXY.

    /// Not while another thread changes the environment.
    [[nodiscard]] static ProxyEnvironment of_process();
};

/// What the options of a tunnel say.
struct ProxyOptions {
    std::optional<std::string> proxy;  ///< "host:port", "http://user@host:port", "none".
    std::optional<std::string> user;
    std::optional<std::string> password_file;
};

/// Which proxy leads to the gateway; nothing: none does. Without the option the environment
/// decides. Pure.
/// @return `Errc::invalid` with a sentence that names the option or the variable, and no password.
[[nodiscard]] Result<std::optional<Proxy>> choose_proxy(const ProxyOptions& options,
                                                        const ProxyEnvironment& environment,
                                                        const Endpoint& gateway);

/// Whether a host is one of those that a NO_PROXY list names: "*", names with all below them,
/// addresses and networks ("10.0.0.0/8"), separated by commas or spaces.
[[nodiscard]] bool bypasses_proxy(std::string_view no_proxy, const std::string& host);

/// @param password  Of `proxy.user`.
[[nodiscard]] std::string connect_request(const Endpoint& gateway, const Proxy& proxy,
                                          const std::string& password);

/// The first line of a file, for `proxy_password_file`.
[[nodiscard]] Result<std::string> read_proxy_password(const std::string& file);
inline constexpr std::size_t proxy_password_max = 1024;

inline constexpr std::size_t proxy_head_max = 16 * 1024;

/// The answer of a proxy to CONNECT, read as it comes. Pure.
class ConnectAnswer {
public:
    ConnectAnswer(Endpoint gateway, Proxy proxy)
        : gateway_(std::move(gateway)), proxy_(std::move(proxy)) {}

    /// @return whether the tunnel begins now; nothing while more is to come. A failure is `refused`
    /// or, when it is no HTTP, `unavailable`.
    [[nodiscard]] std::optional<Result<Done>> feed(std::string_view bytes);

private:
    [[nodiscard]] Result<Done> judge(std::string_view head) const;
    [[nodiscard]] std::string refusal(int status, std::string_view reason,
                                      std::string_view head) const;

    Endpoint gateway_;
    Proxy proxy_;
    std::string arrived_;
};

}  // namespace umbra::gateway
