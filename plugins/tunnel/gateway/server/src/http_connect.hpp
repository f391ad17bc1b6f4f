#pragma once

#include "preamble.hpp"

namespace umbra::gateway {

inline constexpr std::size_t http_head_bytes_max = 8 * 1024;

/// HTTP/1.1 CONNECT host:port (RFC 9110, 9.3.6; RFC 9112 for the form of the head).
///
/// Anything that two readers could understand differently is refused (400): bare CR or LF, a space
/// before a colon, folded lines, none or several Host fields in HTTP/1.1. Other methods get 405,
/// other versions 505, a head of more than 8 KiB 431. Fields other than Host are not looked at; a
/// request with this method has no content.
class HttpConnectPreamble final : public RequestPreamble {
public:
    std::size_t feed(std::string_view arrived) override;

private:
    [[nodiscard]] bool has_bare_line_end(std::size_t from) const;
    void read_head();
    [[nodiscard]] bool read_fields(std::string_view fields, bool host_needed);

    std::string head_;
};

extern const Dialect http_connect_dialect;

}  // namespace umbra::gateway
