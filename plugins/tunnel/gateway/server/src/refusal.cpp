#include "refusal.hpp"

namespace umbra::gateway {
namespace {

struct RefusalRow {
    std::string_view name, text;
};
/// In the order of the enumeration.
constexpr std::array<RefusalRow, refusals> refusal_rows{{
    {"network", "its address is not allowed here"},
    {"per_source", "its address has too many connections"},
    {"clients", "there are too many clients"},
    {"bad_request", "it did not say where it wants to go, or not in a valid form"},
    {"denied", "no mapping permits it"},
    {"backend_refused", "the internal system refuses connections"},
    {"backend_timeout", "the internal system did not answer in time"},
    {"streams", "there are too many streams"},
    {"park_full", "no instance is active, and too many clients wait"},
    {"park_timeout", "no instance became active in time"},
}};

}  // namespace

std::string_view name_of(Refusal refusal) noexcept {
    return refusal_rows[static_cast<std::size_t>(refusal)].name;
}

std::string_view text_of(Refusal refusal) noexcept {
    return refusal_rows[static_cast<std::size_t>(refusal)].text;
}

}  // namespace umbra::gateway
