#include "mapping_table.hpp"

#include "backend_order.hpp"

#include <algorithm>

namespace umbra::gateway {

namespace {

bool is_served(std::string_view protocol) {
    return protocol == "tcp" || protocol == "tcp+tls" || protocol == "http" ||
           protocol == "http+tls";
}

}  // namespace

MappingTable::MappingTable(std::vector<Mapping> mappings) {
    for (Mapping& mapping : mappings)
        mappings_.push_back(std::make_shared<const Mapping>(std::move(mapping)));
}

bool MappingTable::covers(const Mapping& mapping, std::string_view host, std::uint16_t port) {
    const std::uint16_t last = std::max(mapping.virtual_port, mapping.virtual_port_last);
    return mapping.virtual_host == host && port >= mapping.virtual_port && port <= last;
}

MappingTable::Decision MappingTable::decide(std::string_view virtual_host,
                                            std::uint16_t port) const {
    using Verdict = Decision::Verdict;
    const std::string asked = std::string(virtual_host) + ":" + std::to_string(port);
    std::shared_ptr<const Mapping> found;
    // A suspended mapping must not hide an active one that covers the same address.
    for (const auto& mapping : mappings_)
        if (covers(*mapping, virtual_host, port) && (found == nullptr || !found->active))
            found = mapping;
    const auto no = [&](Verdict verdict, std::string text) {
        return Decision{verdict, found ? found->name : "", {}, 0, std::move(text)};
    };
    if (found == nullptr) return no(Verdict::deny, "no mapping permits " + asked);
    const std::string the_mapping = "the mapping " + found->name;
    if (!found->active) return no(Verdict::deny, the_mapping + " is suspended");
    if (!is_served(found->protocol))
        return no(Verdict::unsupported, the_mapping + " has the protocol " + found->protocol +
                                            ", which this provider does not serve");
    const int offset = port - found->virtual_port;
    for (const Backend& backend : backends_of(*found))
        if (backend.port + offset < 1 || backend.port + offset > 65535)
            return no(Verdict::deny, the_mapping + " leads " + asked + " past the last port");
    return {Verdict::allow, found->name, found, offset, ""};
}

bool MappingTable::still_permits(std::string_view name, std::string_view virtual_host,
                                 std::uint16_t port, std::string_view protocol) const {
    const auto mapping = find(name);
    return mapping && mapping->protocol == protocol && covers(*mapping, virtual_host, port);
}

std::shared_ptr<const Mapping> MappingTable::find(std::string_view name) const {
    const auto found = std::find_if(mappings_.begin(), mappings_.end(), [&](const auto& mapping) {
        return mapping->name == name && mapping->active;
    });
    return found == mappings_.end() ? nullptr : *found;
}

}  // namespace umbra::gateway
