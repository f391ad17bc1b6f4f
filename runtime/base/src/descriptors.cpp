#include <umbra/base/descriptors.hpp>

#include <algorithm>
#include <sys/resource.h>

namespace umbra::base {

std::size_t raise_descriptor_limit() {
    // Beyond it a limit is no limit, and a process of that size has other bounds.
    constexpr rlim_t most = 1024 * 1024, least = 64;
    rlimit limit{least, least};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return least;
    if (limit.rlim_cur < limit.rlim_max) {
        rlimit raised{limit.rlim_max, limit.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return static_cast<std::size_t>(std::clamp(limit.rlim_cur, least, most));
}

}  // namespace umbra::base
