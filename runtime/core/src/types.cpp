#include <umbra/core/types.hpp>

namespace umbra::core {

std::string to_string(Revision revision) {
    return std::to_string(revision.epoch) + "." + std::to_string(revision.seq);
}

const char* to_string(Role role) { return role == Role::master ? "master" : "shadow"; }

}  // namespace umbra::core
