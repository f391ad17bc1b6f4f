#include "option_schema.hpp"
#include <umbra/config/catalog.hpp>

namespace umbra::config {

OptionSchemas& PluginCatalog::schemas() const {
    std::call_once(made_, [this] { schemas_ = std::make_shared<OptionSchemas>(); });
    return *schemas_;
}

const char* kind_name(umbra_kind kind) {
    switch (kind) {
        case UMBRA_KIND_TRANSPORT:
            return "transport";
        case UMBRA_KIND_STORAGE:
            return "storage";
        case UMBRA_KIND_PROBE:
            return "probe";
        case UMBRA_KIND_TUNNEL:
            return "tunnel";
    }
    return "unknown";
}

}  // namespace umbra::config
