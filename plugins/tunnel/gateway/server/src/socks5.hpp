#pragma once

#include "preamble.hpp"

namespace umbra::gateway {

/// SOCKS5 (RFC 1928): no authentication, CONNECT, names and addresses. Names are passed on as they
/// are: the instance resolves them, or rather looks them up among its mappings.
///
/// Not served: other methods (answered X'FF'), BIND and UDP ASSOCIATE (7), unknown kinds of
/// addresses (8), what can be no host name or port (1). A client of another version gets no answer.
class Socks5Preamble final : public RequestPreamble {
public:
    std::size_t feed(std::string_view arrived) override;

private:
    enum class Phase { greeting, request };

    [[nodiscard]] std::size_t needed() const;
    void read_greeting();
    void read_request();

    Phase phase_ = Phase::greeting;
    std::string bytes_;  ///< Of the phase.
};

extern const Dialect socks5_dialect;

}  // namespace umbra::gateway
