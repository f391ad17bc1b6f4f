#pragma once

#include <umbra/sdk/time.hpp>

#include <chrono>
#include <string>

namespace umbra::core {

/// "431 ms", as explanations state durations.
inline std::string ms(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
           " ms";
}

}  // namespace umbra::core
