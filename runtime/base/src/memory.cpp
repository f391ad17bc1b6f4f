#include <umbra/base/memory.hpp>

#include <cstddef>
#include <cstdint>
#include <link.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#ifdef UMBRA_JEMALLOC
#include <jemalloc/jemalloc.h>

/// Read by the allocator before main(). Small rather than made for many cores: threads share one
/// arena and keep little for themselves, and what was freed goes back to the system within a
/// second.
const char* malloc_conf = "narenas:1,lg_tcache_max:12,dirty_decay_ms:1000,muzzy_decay_ms:0";
#else
#include <malloc.h>
#endif

namespace umbra::base {

namespace {

/// Segments that nobody can have written to are the same in memory and in the file. Those with
/// relocations are not: the loader wrote to them.
int release_segments(dl_phdr_info* library, std::size_t, void*) {
    static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (int i = 0; i < library->dlpi_phnum; ++i) {
        const auto& segment = library->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
        const std::uintptr_t begin = (library->dlpi_addr + segment.p_vaddr) / page * page;
        const std::uintptr_t end = library->dlpi_addr + segment.p_vaddr + segment.p_memsz;
        (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
    return 0;
}

void release_freed() {
#ifdef UMBRA_JEMALLOC
    (void)::mallctl(("arena." + std::to_string(MALLCTL_ARENAS_ALL) + ".purge").c_str(), nullptr,
                    nullptr, nullptr, 0);
#else
    (void)::malloc_trim(0);
#endif
}

}  // namespace

void release_start_pages() noexcept {
    release_freed();
    (void)::dl_iterate_phdr(&release_segments, nullptr);
}

}  // namespace umbra::base
