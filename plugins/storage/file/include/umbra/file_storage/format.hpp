#pragma once

#include <umbra/sdk/storage.hpp>
#include <umbra/storage_queue/checks.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The bytes of the log file, and nothing else: no file, no clock, no thread. The layout with a
/// worked example is in the README beside this folder. All numbers are little endian.
///
/// Every bit of a file is covered by a checksum or compared with a constant, and the checksum of a
/// record includes the file's identity and the record's offset: a record is valid in its own place
/// only, never as part of the body of another one.
namespace umbra::file_storage {

inline constexpr std::uint32_t format_version = 1;
inline constexpr std::size_t file_header_size = 32;
inline constexpr std::size_t record_header_size = 76;
inline constexpr std::size_t record_trailer_size = 1;

/// Largest bodies that are stored.
using storage_queue::entry_body_max;
using storage_queue::snapshot_body_max;

struct FileHeader {
    std::uint64_t id = 0;  ///< Random, another one for every file.
    /// Length of the file when it was put in its place. Nothing before it can be a torn write.
    std::uint64_t sealed = file_header_size;

    bool operator==(const FileHeader&) const = default;
};

enum class RecordKind : std::uint32_t { entry = 1, snapshot = 2 };

struct RecordHeader {
    RecordKind kind = RecordKind::entry;
    LogPosition position;
    std::uint32_t body_size = 0;
    std::uint32_t body_crc = 0;
    /// Length of the file that was known to be durable when this record was written: whatever lies
    /// before it had been acknowledged. 0 in a file that was written as a whole.
    std::uint64_t synced = 0;

    [[nodiscard]] std::uint64_t record_size() const {
        return record_header_size + std::uint64_t{body_size} + record_trailer_size;
    }
    bool operator==(const RecordHeader&) const = default;
};

std::string encode_file_header(const FileHeader& header);

/// @return `data_loss` for bytes that are not an intact header, `unsupported` for an intact one of
///         another version. The messages name neither file nor remedy.
Result<FileHeader> decode_file_header(std::string_view bytes);

/// Appends one whole record to `out`.
/// @param offset  Where in the file the record will lie.
/// @pre The body is not larger than the limit of its kind.
void append_record(std::string& out, const FileHeader& file, std::uint64_t offset, RecordKind kind,
                   const LogEntry& entry, std::uint64_t synced);

/// @param bytes  At least `record_header_size` of them.
/// @return Nothing when they are not an intact header of this file at this offset.
std::optional<RecordHeader> decode_record_header(std::string_view bytes, const FileHeader& file,
                                                 std::uint64_t offset);

/// @param bytes  What follows the record's header: body and trailer.
bool body_is_intact(const RecordHeader& header, std::string_view bytes);

}  // namespace umbra::file_storage
