#pragma once

#include <umbra/sdk/tunnel.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::gateway {

/// What cloud clients may reach. Default deny. Pure.
class MappingTable {
public:
    struct Decision {
        enum class Verdict { allow, deny, unsupported };
        Verdict verdict = Verdict::deny;
        std::string mapping;                     ///< Name; empty when none names this address.
        std::shared_ptr<const Mapping> rules{};  ///< allow
        int offset = 0;      ///< allow: the place in a port range, the same at each backend.
        std::string text{};  ///< deny, unsupported: why, for people.
    };

    MappingTable() = default;
    explicit MappingTable(std::vector<Mapping> mappings);

    /// A port range leads to a range of the same length: virtual first + n -> internal + n.
    [[nodiscard]] Decision decide(std::string_view virtual_host, std::uint16_t port) const;
    /// The mapping still permits what it permitted as `protocol`: streams that it let in may go on.
    [[nodiscard]] bool still_permits(std::string_view name, std::string_view virtual_host,
                                     std::uint16_t port, std::string_view protocol) const;
    /// Null when there is none, or it is suspended.
    [[nodiscard]] std::shared_ptr<const Mapping> find(std::string_view name) const;

private:
    [[nodiscard]] static bool covers(const Mapping& mapping, std::string_view host,
                                     std::uint16_t port);

    std::vector<std::shared_ptr<const Mapping>> mappings_;
};

}  // namespace umbra::gateway
