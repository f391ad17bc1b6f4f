#include <umbra/file_storage/crc32c.hpp>
#include <umbra/file_storage/format.hpp>

#include <array>
#include <cassert>
#include <cstring>

namespace umbra::file_storage {

namespace {

constexpr std::string_view file_magic{"UMBRALOG"};
constexpr std::string_view record_magic{"UREC"};
// Not zero, so that a record whose last sector never reached the disk differs from a whole one.
constexpr char trailer = '\n';
constexpr std::size_t crc_size = 4;

template <class T>
void put(std::string& out, T value) {
    std::array<char, sizeof value> bytes;
    for (std::size_t i = 0; i < sizeof value; ++i)
        bytes[i] = static_cast<char>((value >> (8 * i)) & 0xffu);
    out.append(bytes.data(), bytes.size());
}

template <class T>
T take(std::string_view& in) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
        value |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(in[i])) << (8 * i));
    in.remove_prefix(sizeof value);
    return value;
}

std::uint32_t header_crc(std::string_view covered, const FileHeader& file, std::uint64_t offset) {
    std::string place;
    put(place, file.id);
    put(place, offset);
    return crc32c(covered, crc32c(place));
}

}  // namespace

std::string encode_file_header(const FileHeader& header) {
    std::string out{file_magic};
    put(out, format_version);
    put(out, header.id);
    put(out, header.sealed);
    put(out, crc32c(out));
    return out;
}

Result<FileHeader> decode_file_header(std::string_view bytes) {
    if (bytes.size() < file_header_size)
        return Error{Errc::data_loss, "it is shorter than its header"};
    bytes = bytes.substr(0, file_header_size);
    if (!bytes.starts_with(file_magic))
        return Error{Errc::data_loss, "it does not begin like a log of this storage"};
    std::string_view crc_field = bytes.substr(file_header_size - crc_size);
    if (take<std::uint32_t>(crc_field) != crc32c(bytes.substr(0, file_header_size - crc_size)))
        return Error{Errc::data_loss, "the checksum of its header is wrong"};
    bytes.remove_prefix(file_magic.size());
    const auto version = take<std::uint32_t>(bytes);
    if (version != format_version)
        return Error{Errc::unsupported, "it has format " + std::to_string(version) +
                                            ", and this version reads format " +
                                            std::to_string(format_version)};
    FileHeader header;
    header.id = take<std::uint64_t>(bytes);
    header.sealed = take<std::uint64_t>(bytes);
    return header;
}

void append_record(std::string& out, const FileHeader& file, std::uint64_t offset, RecordKind kind,
                   const LogEntry& entry, std::uint64_t synced) {
    assert(entry.body.size() <= (kind == RecordKind::entry ? entry_body_max : snapshot_body_max));
    const std::size_t start = out.size();
    out += record_magic;
    put(out, static_cast<std::uint32_t>(entry.body.size()));
    put(out, entry.position.seq);
    put(out, entry.position.epoch);
    out.append(reinterpret_cast<const char*>(entry.position.hash.data()),
               entry.position.hash.size());
    put(out, synced);
    put(out, static_cast<std::uint32_t>(kind));
    put(out, crc32c(entry.body));
    put(out, header_crc(std::string_view{out}.substr(start), file, offset));
    assert(out.size() - start == record_header_size);
    out += entry.body;
    out.push_back(trailer);
}

std::optional<RecordHeader> decode_record_header(std::string_view bytes, const FileHeader& file,
                                                 std::uint64_t offset) {
    if (bytes.size() < record_header_size || !bytes.starts_with(record_magic)) return std::nullopt;
    bytes = bytes.substr(0, record_header_size);
    const auto covered = bytes.substr(0, record_header_size - crc_size);
    std::string_view crc_field = bytes.substr(record_header_size - crc_size);
    if (take<std::uint32_t>(crc_field) != header_crc(covered, file, offset)) return std::nullopt;

    RecordHeader header;
    bytes.remove_prefix(record_magic.size());
    header.body_size = take<std::uint32_t>(bytes);
    header.position.seq = take<std::uint64_t>(bytes);
    header.position.epoch = take<std::uint64_t>(bytes);
    std::memcpy(header.position.hash.data(), bytes.data(), header.position.hash.size());
    bytes.remove_prefix(header.position.hash.size());
    header.synced = take<std::uint64_t>(bytes);
    const auto kind = take<std::uint32_t>(bytes);
    header.body_crc = take<std::uint32_t>(bytes);
    header.kind = static_cast<RecordKind>(kind);
    switch (header.kind) {
        case RecordKind::entry:
            if (header.body_size > entry_body_max) return std::nullopt;
            return header;
        case RecordKind::snapshot:
            if (header.body_size > snapshot_body_max) return std::nullopt;
            return header;
    }
    return std::nullopt;
}

bool body_is_intact(const RecordHeader& header, std::string_view bytes) {
    return bytes.size() == header.body_size + record_trailer_size && bytes.back() == trailer &&
           crc32c(bytes.substr(0, header.body_size)) == header.body_crc;
}

}  // namespace umbra::file_storage
