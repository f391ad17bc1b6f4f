#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace umbra::gateway {

inline constexpr std::size_t request_head_bytes_max = 16384;
inline constexpr std::size_t response_head_bytes_max = 65536;  ///< Backends are trusted with more.
inline constexpr std::size_t http_fields_max = 128;
inline constexpr std::size_t target_bytes_max = 8192;
inline constexpr std::size_t method_bytes_max = 32;

/// Why a message goes no further.
struct HttpFault {
    int status = 400;  ///< For the client, when it is the client's message.
    std::string text;  ///< For the log; nothing of the message itself is in it.
};

struct HttpField {
    std::string name;   ///< As it was written.
    std::string value;  ///< Without white space around it.

    bool operator==(const HttpField&) const = default;
};

/// How long the body is that follows a head (RFC 9112, 6.3).
struct BodyFraming {
    enum class Kind { none, length, chunked, until_close };
    Kind kind = Kind::none;
    std::uint64_t length = 0;  ///< Kind::length; not 0.

    bool operator==(const BodyFraming&) const = default;
};

struct HttpRequest {
    std::string method, target;
    int minor = 1;  ///< HTTP/1.minor
    std::vector<HttpField> fields;
    std::string host;
    BodyFraming body;
    bool keep_alive = true;
    bool upgrade = false;  ///< Asks to be taken over by another protocol.

    [[nodiscard]] std::string_view path() const {
        return std::string_view(target).substr(0, target.find('?'));
    }
};

struct HttpResponse {
    int status = 0;
    int minor = 1;
    std::string reason;
    std::vector<HttpField> fields;
    BodyFraming body;
    bool keep_alive = true;
};

template <class T>
using HttpParsed = std::variant<T, HttpFault>;

/// Length of the head at the front of `bytes`, with its empty line; nothing while it is incomplete.
/// A line that does not end in CRLF counts as the end, so that the parser refuses it at once.
/// @param searched  So many bytes were seen by an earlier call.
[[nodiscard]] std::optional<std::size_t> head_length(std::string_view bytes,
                                                     std::size_t searched = 0);

/// Strict HTTP/1.0 and 1.1 (RFC 9112): what two readers could understand in two ways is refused,
/// never repaired. Every line ends in CRLF; no folded lines, no space before a colon, no control
/// characters, one length only. The target is what `target_fault` lets pass.
/// @param head  As `head_length` found it.
[[nodiscard]] HttpParsed<HttpRequest> parse_request(std::string_view head);

/// The same for what a backend answers.
/// @param method  Of the request: the answer to HEAD has no body.
[[nodiscard]] HttpParsed<HttpResponse> parse_response(std::string_view head,
                                                      std::string_view method);

/// One field line without its CRLF; nothing when it is none.
[[nodiscard]] std::optional<HttpField> parse_field(std::string_view line);

[[nodiscard]] std::string to_head(const HttpRequest& request);
[[nodiscard]] std::string to_head(const HttpResponse& response);

[[nodiscard]] bool same_name(std::string_view a, std::string_view b) noexcept;
/// The first field of that name.
[[nodiscard]] const HttpField* find_field(const std::vector<HttpField>& fields,
                                          std::string_view name) noexcept;

}  // namespace umbra::gateway
