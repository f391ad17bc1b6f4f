#include "fuzz/memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

thread_local std::size_t held = 0, peak = 0;

void* take(std::size_t size) {
    void* const memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    held += ::malloc_usable_size(memory);
    peak = std::max(peak, held);
    return memory;
}

void give_back(void* memory) noexcept {
    // What another thread has allocated is not counted here.
    const std::size_t size = memory == nullptr ? 0 : ::malloc_usable_size(memory);
    held -= std::min(held, size);
    std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }

namespace umbra::fuzz {

Allocated::Allocated() : before_(held) { peak = held; }

std::size_t Allocated::most() const noexcept { return peak - std::min(peak, before_); }

}  // namespace umbra::fuzz
