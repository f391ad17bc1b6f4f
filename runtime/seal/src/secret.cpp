#include <umbra/seal/secret.hpp>

#include <sodium.h>

namespace umbra::seal {

void wipe(std::string& text) noexcept {
    // Up to the capacity: what was longer before is still behind the end.
    text.resize(text.capacity());
    sodium_memzero(text.data(), text.size());
    text.clear();
}

}  // namespace umbra::seal
