#include "faults.hpp"

#include <algorithm>

namespace umbra::simulation {

std::string to_string(const FaultSet& faults) {
    std::string names;
    for (std::size_t kind = 0; kind < fault_count; ++kind) {
        if (!faults.test(kind)) continue;
        if (!names.empty()) names += ',';
        names += fault_names[kind];
    }
    return names;
}

std::optional<FaultSet> parse_faults(std::string_view names) {
    FaultSet faults;
    while (!names.empty()) {
        const auto end = std::min(names.find(','), names.size());
        const auto* found = std::find(fault_names.begin(), fault_names.end(), names.substr(0, end));
        if (found == fault_names.end()) return std::nullopt;
        faults.set(static_cast<std::size_t>(found - fault_names.begin()));
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return faults;
}

}  // namespace umbra::simulation
