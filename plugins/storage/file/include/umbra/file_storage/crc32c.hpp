#pragma once

#include <cstdint>
#include <string_view>

namespace umbra::file_storage {

/// CRC-32C (Castagnoli) of `bytes`, going on from `so_far`, the value for the bytes before them.
/// Uses the processor's instruction where there is one. Pure, any thread.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t so_far = 0);

/// The same by table, on every processor.
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t so_far = 0);

}  // namespace umbra::file_storage
