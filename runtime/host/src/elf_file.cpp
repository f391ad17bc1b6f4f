#include "elf_file.hpp"

#include "text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <unistd.h>
#include <vector>

namespace umbra::host {

namespace {

#if defined(__x86_64__)
constexpr Elf64_Half this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half this_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr Elf64_Half this_machine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr Elf64_Half this_machine = EM_PPC64;
#elif defined(__s390x__)
constexpr Elf64_Half this_machine = EM_S390;
#else
#error "add the ELF machine of this architecture"
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
constexpr unsigned char this_order = ELFDATA2LSB;
#else
constexpr unsigned char this_order = ELFDATA2MSB;
#endif

constexpr std::size_t headers_max = 512;              // a plugin has about ten
constexpr std::uint64_t notes_bytes_max = 64 * 1024;  // it has less than 1 KiB of them
constexpr std::size_t shown_max = 24;  // of the start of a file that is something else

std::string machine_text(Elf64_Half machine) {
    switch (machine) {
        case EM_X86_64:
            return "x86-64";
        case EM_386:
            return "x86";
        case EM_AARCH64:
            return "aarch64";
        case EM_ARM:
            return "arm";
        case EM_RISCV:
            return "riscv";
        case EM_PPC64:
            return "ppc64";
        case EM_S390:
            return "s390x";
        default:
            return "machine " + std::to_string(machine);
    }
}

bool read_at(int descriptor, std::uint64_t offset, void* target, std::size_t size) {
    auto* bytes = static_cast<char*>(target);
    while (size > 0) {
        const ssize_t got = ::pread(descriptor, bytes, size, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        bytes += got;
        offset += static_cast<std::uint64_t>(got);
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

bool inside(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
    return offset <= size && length <= size - offset;
}

std::string cut_off(std::uint64_t size, const char* what) {
    return "is cut off after " + std::to_string(size) + " bytes, in its " + what +
           "; copy the plugin again";
}

std::string not_elf(int descriptor, std::uint64_t size) {
    std::string start(static_cast<std::size_t>(std::min<std::uint64_t>(size, shown_max)), '\0');
    if (!read_at(descriptor, 0, start.data(), start.size())) start.clear();
    if (const auto end = start.find('\n'); end != std::string::npos) start.resize(end);
    return "is not an ELF file, it begins with \"" + one_line(start, shown_max) +
           "\"; build the plugin with umbra_add_plugin()";
}

std::string header_refusal(const Elf64_Ehdr& header) {
    const std::string here = "64-bit " + machine_text(this_machine);
    const std::string remedy = "; build the plugin for " + machine_text(this_machine);
    if (header.e_ident[EI_CLASS] != ELFCLASS64)
        return "is not a 64-bit ELF file, this host is " + here + remedy;
    if (header.e_ident[EI_DATA] != this_order)
        return "has the byte order of another architecture, this host is " + here + remedy;
    if (header.e_machine != this_machine)
        return "is built for " + machine_text(header.e_machine) + ", this host is " +
               machine_text(this_machine) + remedy;
    if (header.e_type != ET_DYN)
        return "is not a shared object (ELF type " + std::to_string(header.e_type) +
               "); build the plugin with umbra_add_plugin()";
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
        header.e_phnum > headers_max ||
        (header.e_shnum > 0 && header.e_shentsize != sizeof(Elf64_Shdr)))
        return "has a damaged ELF header; copy the plugin again";
    return {};
}

bool read_segments(int descriptor, std::vector<Elf64_Phdr>& segments) {
    Elf64_Ehdr header;
    if (!read_at(descriptor, 0, &header, sizeof header)) return false;
    segments.resize(header.e_phnum);
    return read_at(descriptor, header.e_phoff, segments.data(),
                   segments.size() * sizeof(Elf64_Phdr));
}

/// Copies a NUL-padded text of the note.
template <std::size_t N>
std::string text_of(const char (&field)[N]) {
    return one_line({field, strnlen(field, N)}, N);
}

bool valid_name(std::string_view name) {
    const auto fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !name.empty() && std::all_of(name.begin(), name.end(), fine);
}

std::string take_note(const char* descriptor, std::size_t size, Identity& identity) {
    const std::string remedy = "; rebuild the plugin";
    umbra_note note{};
    std::memcpy(&note, descriptor, std::min(size, sizeof note));
    if (note.magic != UMBRA_ABI_MAGIC) return "has a damaged plugin note" + remedy;
    identity = {
        note.kind,      text_of(note.name), text_of(note.version), text_of(note.sdk_version),
        note.abi_major, note.abi_minor};
    // Another ABI may have another note; that is for check_abi() to say.
    if (note.abi_major != UMBRA_ABI_MAJOR || note.abi_minor != UMBRA_ABI_MINOR) return {};
    if (size < sizeof note) return "has a damaged plugin note" + remedy;
    if (!valid_name(identity.name))
        return "has the plugin name \"" + identity.name +
               "\"; a name has lower-case letters, digits, '-' and '_' only";
    return {};
}

/// Walks one segment of notes. @return whether the plugin's was there.
bool find_note(const std::vector<char>& notes, std::uint64_t alignment, std::string& why,
               Identity& identity) {
    constexpr std::string_view wanted{UMBRA_NOTE_NAME, sizeof UMBRA_NOTE_NAME};
    const std::uint64_t step = alignment == 8 ? 8 : 4;
    const auto aligned = [step](std::uint64_t n) { return (n + step - 1) / step * step; };
    std::uint64_t at = 0;
    while (inside(at, sizeof(Elf64_Nhdr), notes.size())) {
        Elf64_Nhdr header;
        std::memcpy(&header, notes.data() + at, sizeof header);
        const std::uint64_t name = at + sizeof header;
        const std::uint64_t descriptor = aligned(name + header.n_namesz);
        if (!inside(name, header.n_namesz, notes.size()) ||
            !inside(descriptor, header.n_descsz, notes.size()))
            return false;
        if (header.n_type == UMBRA_NOTE_TYPE &&
            std::string_view{notes.data() + name, header.n_namesz} == wanted) {
            why = take_note(notes.data() + descriptor, header.n_descsz, identity);
            return true;
        }
        at = aligned(descriptor + header.n_descsz);
    }
    return false;
}

}  // namespace

std::string elf_refusal(int descriptor, std::uint64_t size) {
    if (size == 0) return "is empty; copy the plugin again";
    Elf64_Ehdr header{};
    const auto available = static_cast<std::size_t>(std::min<std::uint64_t>(size, sizeof header));
    if (!read_at(descriptor, 0, &header, available))
        return "cannot be read; check the disk, then copy the plugin again";
    if (available < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return not_elf(descriptor, size);
    if (available < sizeof header) return cut_off(size, "ELF header");
    if (auto why = header_refusal(header); !why.empty()) return why;

    // dlopen maps what the tables promise and dies of SIGBUS where the file has already ended.
    if (!inside(header.e_shoff, std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr), size))
        return cut_off(size, "section table");
    if (!inside(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), size))
        return cut_off(size, "program header");
    std::vector<Elf64_Phdr> segments;
    if (!read_segments(descriptor, segments))
        return "cannot be read; check the disk, then copy the plugin again";
    for (const auto& segment : segments)
        if (!inside(segment.p_offset, segment.p_filesz, size)) return cut_off(size, "segments");
    return {};
}

std::string read_note(int descriptor, std::uint64_t size, Identity& identity) {
    std::vector<Elf64_Phdr> segments;
    if (!read_segments(descriptor, segments))
        return "cannot be read; check the disk, then copy the plugin again";
    for (const auto& segment : segments) {
        if (segment.p_type != PT_NOTE || segment.p_filesz > notes_bytes_max) continue;
        if (!inside(segment.p_offset, segment.p_filesz, size)) continue;
        std::vector<char> notes(static_cast<std::size_t>(segment.p_filesz));
        if (!read_at(descriptor, segment.p_offset, notes.data(), notes.size())) continue;
        std::string why;
        if (find_note(notes, segment.p_align, why, identity)) return why;
    }
    return "has no plugin note, so it is no plugin; build it with umbra_add_plugin() and one "
           "UMBRA_PLUGIN()";
}

}  // namespace umbra::host
