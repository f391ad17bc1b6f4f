#pragma once

#include <umbra/sdk/plugin.hpp>
#include <umbra/sdk/version.hpp>

#include <cstddef>
#include <cstdint>

namespace umbra::detail {

/// An ELF note as it lies in the file: header, padded name, descriptor.
struct NoteSection {
    std::uint32_t name_size, descriptor_size, type;
    char name[8];
    umbra_note note;
};

template <std::size_t N>
constexpr void copy_text(char (&target)[N], const char* text) {
    std::size_t i = 0;
    for (; text[i] != '\0'; ++i) {
        if (i + 1 >= N) throw "plugin name or version is too long for its note";
        target[i] = text[i];
    }
    for (; i < N; ++i) target[i] = '\0';
}

template <class P>
using ThunksOf = ThunksFor<typename P::Kind>;

template <class P>
constexpr NoteSection make_note() {
    NoteSection section{sizeof UMBRA_NOTE_NAME, sizeof(umbra_note), UMBRA_NOTE_TYPE, {}, {}};
    copy_text(section.name, UMBRA_NOTE_NAME);
    section.note.magic = UMBRA_ABI_MAGIC;
    section.note.abi_major = UMBRA_ABI_MAJOR;
    section.note.abi_minor = UMBRA_ABI_MINOR;
    section.note.kind = ThunksOf<P>::kind;
    copy_text(section.note.name, P::info.name);
    copy_text(section.note.version, P::info.version);
    copy_text(section.note.sdk_version, UMBRA_SDK_VERSION);
    return section;
}

template <class P>
constexpr umbra_plugin make_plugin() {
    return {sizeof(umbra_plugin),   ThunksOf<P>::kind,      P::info.name,
            P::info.version,        P::info.summary,        P::info.license,
            P::schema.table.data(), P::schema.table.size(), P::info.capabilities,
            &LifeThunks<P>::table,  &ThunksOf<P>::table};
}

}  // namespace umbra::detail

/// Makes a shared object a plugin: the note that the host reads before it loads anything, and the
/// one exported symbol. Use once, at namespace scope, in one source file.
///
/// The symbol is a pointer variable, which is what Boost.DLL calls an alias; the header itself
/// needs no Boost.
#define UMBRA_PLUGIN(Class)                                                                        \
    namespace {                                                                                    \
    __attribute__((used, section(".note.umbra"),                                                   \
                   aligned(4))) constexpr ::umbra::detail::NoteSection umbra_note_section =        \
        ::umbra::detail::make_note<Class>();                                                       \
    constexpr umbra_plugin umbra_plugin_value = ::umbra::detail::make_plugin<Class>();             \
    constexpr umbra_entry_pod umbra_entry_value{UMBRA_ABI_MAGIC,   sizeof(umbra_entry_pod),        \
                                                UMBRA_ABI_MAJOR,   UMBRA_ABI_MINOR,                \
                                                UMBRA_SDK_VERSION, &umbra_plugin_value};           \
    }                                                                                              \
    extern "C" {                                                                                   \
    extern __attribute__((visibility("default"))) const umbra_entry_pod* const umbra_plugin_entry; \
    const umbra_entry_pod* const umbra_plugin_entry = &umbra_entry_value;                          \
    }
