#include <umbra/storage_queue/checksum.hpp>

#include <array>
#include <cstddef>

namespace umbra::storage_queue {

namespace {

constexpr std::uint64_t polynomial = 0xc96c5795d7870f42u;  // reversed
constexpr std::size_t lanes = 8;
using Tables = std::array<std::array<std::uint64_t, 256>, lanes>;

/// `tables[n][byte]`: what `byte` does to the sum when n more bytes follow it.
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint64_t byte = 0; byte < 256; ++byte) {
        auto sum = byte;
        for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? polynomial : 0);
        tables[0][byte] = sum;
    }
    for (std::size_t n = 1; n < lanes; ++n)
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const auto sum = tables[n - 1][byte];
            tables[n][byte] = (sum >> 8) ^ tables[0][sum & 0xff];
        }
    return tables;
}

constexpr Tables tables = make_tables();

std::uint64_t byte_at(std::string_view bytes, std::size_t i) {
    return static_cast<unsigned char>(bytes[i]);
}

void put(std::string& out, std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8)
        out.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
}

}  // namespace

std::uint64_t crc64(std::string_view bytes, std::uint64_t before) {
    auto sum = ~before;
    while (bytes.size() >= lanes) {  // eight bytes at a time: start-up checks everything there is
        std::uint64_t next = 0;
        for (std::size_t i = 0; i < lanes; ++i) {
            const auto index = (byte_at(bytes, i) ^ (sum >> (8 * i))) & 0xff;
            next ^= tables[lanes - 1 - i][index];
        }
        sum = next;
        bytes.remove_prefix(lanes);
    }
    for (std::size_t i = 0; i < bytes.size(); ++i)
        sum = (sum >> 8) ^ tables[0][(sum ^ byte_at(bytes, i)) & 0xff];
    return ~sum;
}

std::uint64_t checksum(const LogPosition& position, std::string_view body) {
    std::string head;
    put(head, position.seq);
    put(head, position.epoch);
    head.append(reinterpret_cast<const char*>(position.hash.data()), position.hash.size());
    return crc64(body, crc64(head));
}

}  // namespace umbra::storage_queue
