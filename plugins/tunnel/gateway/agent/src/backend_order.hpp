#pragma once

#include <umbra/gateway/dial.hpp>
#include <umbra/sdk/time.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace umbra::gateway {

/// How long a backend that could not be reached is passed over, while another one can.
inline constexpr Duration backend_pause = std::chrono::seconds(5);

/// Which backend of a mapping is asked, and which next when it can not be reached: in turn, without
/// those whose probe is down or that have just failed. When no other is left these are tried too,
/// in the order of the configuration: a wrong probe must not stop what works. Pure.
class BackendOrder {
public:
    /// The backends of `mapping` in the order to try for one client. Never empty.
    /// @param offset  Added to each port: the place in a range.
    [[nodiscard]] std::vector<Endpoint> next(const Mapping& mapping, int offset, Instant now);
    /// What came of it.
    void failed(const Endpoint& backend, Instant now);
    void answered(const Endpoint& backend);

private:
    std::map<std::string, std::size_t> turns_;  ///< By mapping; its next one.
    std::map<Endpoint, Instant> failed_;        ///< When; bounded by what mappings name.
};

/// All backends of a mapping, also of one that a host without `backends` told of.
[[nodiscard]] std::vector<Backend> backends_of(const Mapping& mapping);

}  // namespace umbra::gateway
