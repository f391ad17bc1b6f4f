#include <umbra/file_storage/crc32c.hpp>

#include <array>
#include <cstddef>
#include <cstring>

namespace umbra::file_storage {

namespace {

constexpr std::uint32_t polynomial_reflected = 0x82f63b78u;

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = (value & 1u) != 0 ? (value >> 1) ^ polynomial_reflected : value >> 1;
        table[i] = value;
    }
    return table;
}
constexpr auto table = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(std::string_view bytes,
                                                                      std::uint32_t so_far) {
    std::uint64_t value = ~so_far;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        value = __builtin_ia32_crc32di(value, word);
        at += sizeof word;
    }
    auto low = static_cast<std::uint32_t>(value);
    for (; left > 0; --left) low = __builtin_ia32_crc32qi(low, static_cast<unsigned char>(*at++));
    return ~low;
}
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t so_far) {
    std::uint32_t value = ~so_far;
    for (const char c : bytes)
        value = (value >> 8) ^ table[(value ^ static_cast<unsigned char>(c)) & 0xffu];
    return ~value;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t so_far) {
#if defined(__x86_64__)
    static const bool fast = __builtin_cpu_supports("sse4.2") != 0;
    if (fast) return crc32c_by_instruction(bytes, so_far);
#endif
    return crc32c_by_table(bytes, so_far);
}

}  // namespace umbra::file_storage
