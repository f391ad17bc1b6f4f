#pragma once

#include <umbra/sdk/storage.hpp>

#include <cstdint>
#include <string_view>

namespace umbra::storage_queue {

/// CRC-64/XZ: "123456789" gives 0x995dc9bbdf1939fa.
/// @param before  Of the bytes that come before these.
std::uint64_t crc64(std::string_view bytes, std::uint64_t before = 0);

/// Of an entry: sequence and epoch (8 bytes each, little endian), hash, body.
std::uint64_t checksum(const LogPosition& position, std::string_view body);
inline std::uint64_t checksum(const LogEntry& entry) {
    return checksum(entry.position, entry.body);
}

}  // namespace umbra::storage_queue
