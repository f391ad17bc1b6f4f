#include "mapping_table.hpp"

#include <algorithm>

namespace umbra::gateway {

bool MappingTable::covers(const Mapping& mapping, std::string_view host, std::uint16_t port) {
    const std::uint16_t last = std::max(mapping.virtual_port, mapping.virtual_port_last);
    return mapping.virtual_host == host && port >= mapping.virtual_port && port <= last;
}

MappingTable::Decision MappingTable::decide(std::string_view virtual_host,
                                            std::uint16_t port) const {
    using Verdict = Decision::Verdict;
    const std::string asked = std::string(virtual_host) + ":" + std::to_string(port);
    const Mapping* found = nullptr;
    // A suspended mapping must not hide an active one that covers the same address.
    for (const Mapping& mapping : mappings_)
        if (covers(mapping, virtual_host, port) && (found == nullptr || !found->active))
            found = &mapping;
    if (found == nullptr) return {Verdict::deny, "", {}, "no mapping permits " + asked};
    if (!found->active)
        return {Verdict::deny, found->name, {}, "the mapping " + found->name + " is suspended"};
    if (found->protocol != "tcp")
        return {Verdict::unsupported,
                found->name,
                {},
                "the mapping " + found->name + " has the protocol " + found->protocol +
                    ", this provider serves tcp"};
    const int internal = found->internal_port + (port - found->virtual_port);
    if (internal < 1 || internal > 65535)
        return {Verdict::deny,
                found->name,
                {},
                "the mapping " + found->name + " leads " + asked + " past the last port"};
    return {Verdict::allow,
            found->name,
            {found->internal_host, static_cast<std::uint16_t>(internal)},
            ""};
}

bool MappingTable::still_permits(std::string_view name, std::string_view virtual_host,
                                 std::uint16_t port) const {
    return std::any_of(mappings_.begin(), mappings_.end(), [&](const Mapping& mapping) {
        return mapping.name == name && mapping.active && covers(mapping, virtual_host, port);
    });
}

}  // namespace umbra::gateway
