#include <umbra/core/types.hpp>

namespace umbra::core {

std::string to_string(Revision revision) {
    return std::to_string(revision.epoch) + "." + std::to_string(revision.seq);
}

std::string revision_conflict(Revision current, Revision wanted) {
    return "the configuration is at revision " + to_string(current) + ", not " + to_string(wanted) +
           "; look at the difference and try again";
}

const char* to_string(Role role) { return role == Role::master ? "master" : "shadow"; }

}  // namespace umbra::core
