#pragma once

#include <umbra/host/file.hpp>

#include <cstdint>
#include <string>

namespace umbra::host {

/// The ELF part of gate 0: 64 bit, this machine, a shared object, and complete.
/// @return Why not, without the path; empty = fine.
[[nodiscard]] std::string elf_refusal(int descriptor, std::uint64_t size);

/// Finds the note of a plugin in its PT_NOTE segments. Every offset in the file is taken as
/// hostile.
/// @pre `elf_refusal()` was empty
[[nodiscard]] std::string read_note(int descriptor, std::uint64_t size, Identity& identity);

}  // namespace umbra::host
