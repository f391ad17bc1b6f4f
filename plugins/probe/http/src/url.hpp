#pragma once

#include <umbra/sdk/result.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbra::http_probe {

struct Url {
    bool tls = false;
    std::string host;    ///< Name or number, IPv6 without brackets.
    std::string port;    ///< A number from 1 to 65535.
    std::string target;  ///< Path and query, at least "/".
    /// "crm.internal:8443", the port left out where it is the usual one.
    [[nodiscard]] std::string authority() const;
};

/// Takes "http://host[:port][/path]" and https apart. `invalid` when it is neither, or carries a
/// user, a password or a fragment. Pure.
Result<Url> parse_url(std::string_view text);

/// The status codes that count as well: "200-299, 404". Pure.
class ExpectedStatus {
public:
    /// `invalid` when it is no such list.
    static Result<ExpectedStatus> parse(std::string_view text);
    [[nodiscard]] bool contains(unsigned status) const;

private:
    std::vector<std::pair<unsigned, unsigned>> ranges_;
};

struct Header {
    std::string name, value;
};
/// "Name: value". `invalid` when it is none. Pure.
Result<Header> parse_header(std::string_view text);

}  // namespace umbra::http_probe
