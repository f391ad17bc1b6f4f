#pragma once

#include <umbra/file_storage/format.hpp>

#include <cstdint>
#include <vector>

namespace umbra::file_storage {

/// Bytes of a file, or of a test.
class Source {
public:
    virtual ~Source() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// Fills `out` with `count` bytes from `offset`; all of them lie before `size()`.
    /// @return 0, or an errno.
    [[nodiscard]] virtual int read(std::uint64_t offset, char* out, std::size_t count) = 0;
};

/// Where things are in an intact log.
struct Index {
    FileHeader header;
    LogPosition snapshot;                  ///< Position.seq 0 = none; else the first record.
    LogPosition last;                      ///< The newest entry; the snapshot's without entries.
    std::vector<std::uint64_t> offsets;    ///< Of the entries, from seq `snapshot.seq + 1` on.
    std::uint64_t end = file_header_size;  ///< Behind the last record.
};

struct Scanned {
    Index index;
    std::uint64_t torn = 0;  ///< Bytes of an unfinished write behind `index.end`.
    std::uint64_t room = 0;  ///< Or so many zeros, up to the end of the file.
};

/// Reads a whole log and checks every byte of it.
///
/// Zeros up to the end of the file are room for the next records. What else is invalid at the end
/// is an unfinished write, hence was never acknowledged and may go, if
///  - it is shorter than what it announces, or a sector of it is all zeros (it never reached the
///    disk), or its last byte and all behind it are, and
///  - no intact record behind it says that it had been durable, and the file was not put in its
///    place with it.
/// Anything else is damage: `data_loss`, with a message that names the offset and the last entry
/// before it. An unreadable file is `unavailable` with its errno. Pure but for `source`.
Result<Scanned> scan(Source& source);

}  // namespace umbra::file_storage
