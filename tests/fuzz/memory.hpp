#pragma once

#include <cstddef>

namespace umbra::fuzz {

/// Measures what is allocated with `new` on this thread. The program has to be linked with
/// memory.cpp.
class Allocated {
public:
    Allocated();
    /// The most that was held at once since then, in bytes.
    [[nodiscard]] std::size_t most() const noexcept;

private:
    std::size_t before_;
};

}  // namespace umbra::fuzz
