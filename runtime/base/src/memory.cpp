#include <umbra/base/memory.hpp>

#include <cstdint>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

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

}  // namespace

void release_start_pages() noexcept {
    (void)::malloc_trim(0);
    (void)::dl_iterate_phdr(&release_segments, nullptr);
}

}  // namespace umbra::base
