// A shared object for LD_PRELOAD: stands in front of the calls of the C library that change files,
// counts those below one directory, and at the n-th kills the program, or lets the call fail as a
// full or a broken disk does. What it is to do, and what it did, is in a page of shared memory.
//
// Calls that the C library makes inside of itself (fclose, fflush) do not come by here.

#include "integration/failpoint/page.hpp"
#include "integration/failpoint/trace.hpp"

#include <climits>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <mutex>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

using namespace umbra::failpoint;

/// The next function of this name behind this object.
template <class F>
F* real(const char* name) {
    return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}
#define REAL(name) static const auto next = real<decltype(::name)>(#name)

using Path = char[PATH_MAX];

struct Places {
    Page* page = nullptr;
    int trace = -1;
    std::size_t under_size = 0;
    std::mutex mutex;
    bool full = false;  ///< From now on, or until the next write failed.
    bool full_once = false;

    Places() {
        const char* file = std::getenv(page_variable);
        if (file == nullptr) return;
        REAL(open);
        const int fd = next(file, O_RDWR | O_CLOEXEC);
        if (fd < 0) return;
        void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ::close(fd);
        if (memory == MAP_FAILED) return;
        under_size = std::strlen(static_cast<Page*>(memory)->under);
        if (const char* name = std::getenv(trace_variable))
            trace = next(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        page = static_cast<Page*>(memory);
    }
    /// The rest of a path below the directory; null for one elsewhere.
    [[nodiscard]] const char* below(const char* path) const {
        if (std::strncmp(path, page->under, under_size) != 0) return nullptr;
        if (path[under_size] == '\0') return "";
        return path[under_size] == '/' ? path + under_size + 1 : nullptr;
    }
};

/// Never destroyed: threads may write until the last moment.
Places& places() {
    alignas(Places) static char room[sizeof(Places)];
    static Places* const made = new (room) Places;
    return *made;
}

bool path_of(int fd, Path& path) {
    char link[64];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const auto size = ::readlink(link, path, sizeof path - 1);
    if (size <= 0 || path[0] != '/') return false;
    path[size] = '\0';
    return true;
}

/// `name` as seen from the directory `at`, not resolved any further.
bool path_of(int at, const char* name, Path& path) {
    if (name[0] == '/') {
        std::snprintf(path, sizeof path, "%s", name);
        return true;
    }
    if (at == AT_FDCWD) {
        if (::getcwd(path, sizeof path) == nullptr) return false;
    } else if (!path_of(at, path)) {
        return false;
    }
    const auto size = std::strlen(path);
    std::snprintf(path + size, sizeof path - size, "/%s", name);
    return true;
}

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
}

enum class Fate { pass, half, no_space, broken, die_behind };

/// Counts a call and says what becomes of it.
Fate fate_of(const char* call, const char* path, bool writes, bool takes_space) {
    auto& p = places();
    auto& page = *p.page;
    const auto number = page.calls.fetch_add(1) + 1;
    if (number != page.at) {
        if (!takes_space || !p.full) return Fate::pass;
        if (p.full_once) p.full = false;
        return Fate::no_space;
    }
    const bool disk_full = page.how == How::full || page.how == How::full_on;
    if (page.how == How::nothing || (disk_full && !takes_space)) return Fate::pass;
    std::snprintf(page.call, sizeof page.call, "%s", call);
    std::snprintf(page.path, sizeof page.path, "%.*s", int{sizeof page.path - 1}, path);
    page.struck = 1;
    switch (page.how) {
        case How::kill:
            die();
        case How::torn:
            return writes ? Fate::half : Fate::die_behind;
        case How::broken:
            return Fate::broken;
        default:
            p.full_once = page.how == How::full;
            p.full = writes || !p.full_once;
            return writes ? Fate::half : Fate::no_space;
    }
}

// --- the trace

/// A number for the file with this inode, from 1 on: another one when the inode is used again.
std::uint64_t file_number(ino_t inode, bool fresh) {
    struct Known {
        ino_t inode;
        std::uint64_t number;
    };
    static Known known[256];
    static std::size_t count = 0;
    static std::uint64_t last = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (known[i].inode != inode) continue;
        if (fresh) known[i].number = ++last;
        return known[i].number;
    }
    if (count == std::size(known)) std::abort();
    known[count] = {inode, ++last};
    return known[count++].number;
}

std::uint64_t file_number(int fd, bool fresh = false) {
    struct stat about {};
    return ::fstat(fd, &about) == 0 ? file_number(about.st_ino, fresh) : 0;
}

void put(const void* data, std::size_t size) {
    REAL(write);
    for (const auto* at = static_cast<const char*>(data); size > 0;) {
        const auto written = next(places().trace, at, size);
        if (written <= 0) std::abort();
        at += written;
        size -= static_cast<std::size_t>(written);
    }
}

void trace(Op op, std::uint64_t file, const char* name, std::uint64_t offset = 0,
           std::string_view bytes = {}) {
    if (places().trace < 0) return;
    const TraceHead head{op,   {},     static_cast<std::uint32_t>(std::strlen(name)),
                         file, offset, bytes.size()};
    put(&head, sizeof head);
    put(name, head.name_size);
    put(bytes.data(), bytes.size());
}

int fail(int code) {
    errno = code;
    return -1;
}

/// Goes through the call that changes something: `act` does it and `told` traces it.
template <class Act, class Told>
auto change(const char* call, const char* path, bool takes_space, Act act, Told told)
    -> decltype(act()) {
    const std::lock_guard lock{places().mutex};
    const auto fate = fate_of(call, path, false, takes_space);
    if (fate == Fate::no_space) return fail(ENOSPC);
    if (fate == Fate::broken) return fail(EIO);
    const auto result = act();
    const int code = errno;
    if (result >= 0) told(result);
    if (fate == Fate::die_behind) die();
    errno = code;
    return result;
}

/// A write of `size` bytes; `act` writes so many of them.
template <class Act>
ssize_t write_some(const char* call, int fd, const char* path, const char* name, const char* bytes,
                   std::size_t size, off_t offset, Act act) {
    const std::lock_guard lock{places().mutex};
    const auto fate = fate_of(call, path, true, true);
    if (fate == Fate::no_space) return fail(ENOSPC);
    if (fate == Fate::broken) return fail(EIO);
    if (fate == Fate::half && size < 2) {
        if (places().page->how == How::torn) die();
        if (places().full_once) places().full = false;
        return fail(ENOSPC);
    }
    const auto written = act(fate == Fate::half ? size / 2 : size);
    const int code = errno;
    if (written > 0)
        trace(Op::write, file_number(fd), name, static_cast<std::uint64_t>(offset),
              {bytes, static_cast<std::size_t>(written)});
    if (fate == Fate::half && places().page->how == How::torn) die();
    errno = code;
    return written;
}

/// Where write() would write.
off_t place_of(int fd) {
    struct stat about {};
    const int flags = ::fcntl(fd, F_GETFL);
    if ((flags & O_APPEND) != 0 && ::fstat(fd, &about) == 0) return about.st_size;
    return ::lseek(fd, 0, SEEK_CUR);
}

/// Null where nothing is watched.
const char* watched(int fd, Path& path) {
    if (places().page == nullptr || !path_of(fd, path)) return nullptr;
    return places().below(path);
}
const char* watched(int at, const char* name, Path& path) {
    if (places().page == nullptr || !path_of(at, name, path)) return nullptr;
    return places().below(path);
}

template <class Open>
int open_with(const char* call, int at, const char* name, int flags, Open open) {
    Path path;
    const char* below = watched(at, name, path);
    struct stat about {};
    const bool there = below != nullptr && ::stat(path, &about) == 0;
    const bool creates = below != nullptr && (flags & O_CREAT) != 0 && !there;
    const bool empties = there && (flags & O_TRUNC) != 0 && about.st_size > 0;
    if (!creates && !empties) return open();
    return change(call, path, creates, open, [&](int fd) {
        if (creates) trace(Op::create, file_number(fd, true), below);
        if (empties) trace(Op::resize, file_number(fd), below);
    });
}

int sync_with(const char* call, int fd, int (*next)(int)) {
    Path path;
    const char* below = watched(fd, path);
    if (below == nullptr) return next(fd);
    return change(
        call, path, false, [&] { return next(fd); },
        [&](int) { trace(below[0] == '\0' ? Op::sync_names : Op::sync, file_number(fd), below); });
}

int resize_with(int fd, off_t size, int (*next)(int, off_t)) {
    Path path;
    const char* below = watched(fd, path);
    if (below == nullptr) return next(fd, size);
    return change(
        "ftruncate", path, false, [&] { return next(fd, size); },
        [&](int) { trace(Op::resize, file_number(fd), below, static_cast<std::uint64_t>(size)); });
}

template <class Rename>
int rename_with(int from_at, const char* from, int to_at, const char* to, Rename rename) {
    Path from_path, to_path;
    const char* old_name = watched(from_at, from, from_path);
    const char* new_name = watched(to_at, to, to_path);
    if (new_name == nullptr) return rename();
    return change("rename", to_path, true, rename, [&](int) {
        trace(Op::rename, 0, old_name == nullptr ? "" : old_name, 0, new_name);
    });
}

template <class Remove>
int remove_with(int at, const char* name, Remove remove) {
    Path path;
    const char* below = watched(at, name, path);
    struct stat about {};
    if (below == nullptr || ::lstat(path, &about) != 0) return remove();
    return change("unlink", path, false, remove, [&](int) { trace(Op::remove, 0, below); });
}

mode_t mode_of(int flags, va_list& more) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : mode_t{0};
}

}  // namespace

extern "C" {

#define OPEN(name)                                                                               \
    int name(const char* path, int flags, ...) {                                                 \
        REAL(name);                                                                              \
        va_list more;                                                                            \
        va_start(more, flags);                                                                   \
        const mode_t mode = mode_of(flags, more);                                                \
        va_end(more);                                                                            \
        return open_with(#name, AT_FDCWD, path, flags, [&] { return next(path, flags, mode); }); \
    }
OPEN(open)
OPEN(open64)
#undef OPEN

#define OPENAT(name)                                                                           \
    int name(int at, const char* path, int flags, ...) {                                       \
        REAL(name);                                                                            \
        va_list more;                                                                          \
        va_start(more, flags);                                                                 \
        const mode_t mode = mode_of(flags, more);                                              \
        va_end(more);                                                                          \
        return open_with(#name, at, path, flags, [&] { return next(at, path, flags, mode); }); \
    }
OPENAT(openat)
OPENAT(openat64)
#undef OPENAT

ssize_t write(int fd, const void* bytes, size_t size) {
    REAL(write);
    auto& p = places();
    if (p.page != nullptr && p.trace >= 0 && fd == STDOUT_FILENO) {
        const std::lock_guard lock{p.mutex};
        trace(Op::report, 0, "", 0, {static_cast<const char*>(bytes), size});
        return next(fd, bytes, size);
    }
    Path path;
    const char* below = watched(fd, path);
    if (below == nullptr) return next(fd, bytes, size);
    return write_some("write", fd, path, below, static_cast<const char*>(bytes), size, place_of(fd),
                      [&](std::size_t count) { return next(fd, bytes, count); });
}

#define PWRITE(name)                                                                          \
    ssize_t name(int fd, const void* bytes, size_t size, off_t offset) {                      \
        REAL(name);                                                                           \
        Path path;                                                                            \
        const char* below = watched(fd, path);                                                \
        if (below == nullptr) return next(fd, bytes, size, offset);                           \
        return write_some("pwrite", fd, path, below, static_cast<const char*>(bytes), size,   \
                          offset,                                                             \
                          [&](std::size_t count) { return next(fd, bytes, count, offset); }); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
#undef PWRITE

/// Of several pieces the first one is written: that is a short write, as may happen at any time.
ssize_t writev(int fd, const iovec* pieces, int count) {
    Path path;
    if (watched(fd, path) == nullptr) {
        REAL(writev);
        return next(fd, pieces, count);
    }
    for (int i = 0; i < count; ++i)
        if (pieces[i].iov_len > 0) return write(fd, pieces[i].iov_base, pieces[i].iov_len);
    return 0;
}

int fsync(int fd) {
    REAL(fsync);
    return sync_with("fsync", fd, next);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    return sync_with("fdatasync", fd, next);
}
int ftruncate(int fd, off_t size) noexcept {
    REAL(ftruncate);
    return resize_with(fd, size, next);
}
int ftruncate64(int fd, off64_t size) noexcept {
    REAL(ftruncate64);
    return resize_with(fd, size, next);
}
int rename(const char* from, const char* to) noexcept {
    REAL(rename);
    return rename_with(AT_FDCWD, from, AT_FDCWD, to, [&] { return next(from, to); });
}
int renameat(int from_at, const char* from, int to_at, const char* to) noexcept {
    REAL(renameat);
    return rename_with(from_at, from, to_at, to, [&] { return next(from_at, from, to_at, to); });
}
int unlink(const char* name) noexcept {
    REAL(unlink);
    return remove_with(AT_FDCWD, name, [&] { return next(name); });
}
int unlinkat(int at, const char* name, int flags) noexcept {
    REAL(unlinkat);
    return remove_with(at, name, [&] { return next(at, name, flags); });
}
int remove(const char* name) noexcept {
    REAL(remove);
    return remove_with(AT_FDCWD, name, [&] { return next(name); });
}
int mkdir(const char* name, mode_t mode) noexcept {
    REAL(mkdir);
    Path path;
    struct stat about {};
    if (watched(AT_FDCWD, name, path) == nullptr || ::stat(path, &about) == 0)
        return next(name, mode);
    return change(
        "mkdir", path, true, [&] { return next(name, mode); }, [](int) {});
}
int fchmod(int fd, mode_t mode) noexcept {
    REAL(fchmod);
    Path path;
    if (watched(fd, path) == nullptr) return next(fd, mode);
    return change(
        "fchmod", path, false, [&] { return next(fd, mode); }, [](int) {});
}

}  // extern "C"
