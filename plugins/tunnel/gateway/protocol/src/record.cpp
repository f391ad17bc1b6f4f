#include <umbra/gateway/register.hpp>

#include <algorithm>
#include <array>
#include <cassert>

namespace umbra::gateway {
namespace {

// A record: magic | u16 format | u32 bytes, all of it | u64 serial | u64 epoch | holder |
// u16 count, incarnations | u16 count, in_sync | u64 in_sync_seq | u32 CRC-32C of all before.
constexpr std::uint32_t magic = 0x55524543;  // "UREC"
constexpr std::uint16_t format = 1;
constexpr std::size_t head_bytes = 4 + 2 + 4;
constexpr std::size_t crc_bytes = 4;

constexpr std::array<std::uint32_t, 256> crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1u) ? 0x82f63b78u : 0u);
        table.at(byte) = value;
    }
    return table;
}();

void put_name(Writer& out, const std::string& name) {
    assert(name.size() <= name_bytes_max);
    out.text(name, name_bytes_max);
}

Error damaged(const char* what) {
    return {Errc::data_loss, std::string("the record of the register is damaged: ") + what};
}

}  // namespace

std::uint32_t crc32c(ByteView bytes) {
    std::uint32_t crc = ~0u;
    for (const std::uint8_t byte : bytes) crc = (crc >> 8) ^ crc_table.at((crc ^ byte) & 0xffu);
    return ~crc;
}

Bytes encode(const Record& record) {
    assert(record.incarnations.size() <= members_max && record.in_sync.size() <= members_max);
    Writer body;
    body.u64(record.serial);
    body.u64(record.epoch);
    put_name(body, record.holder.node);
    put_name(body, record.holder.incarnation);
    body.u16(static_cast<std::uint16_t>(record.incarnations.size()));
    for (const auto& [node, incarnation] : record.incarnations) {
        put_name(body, node);
        put_name(body, incarnation);
    }
    body.u16(static_cast<std::uint16_t>(record.in_sync.size()));
    for (const auto& member : record.in_sync) {
        put_name(body, member.node);
        put_name(body, member.incarnation);
    }
    body.u64(record.in_sync_seq);

    Writer out;
    out.u32(magic);
    out.u16(format);
    out.u32(static_cast<std::uint32_t>(head_bytes + body.size() + crc_bytes));
    out.raw(body.bytes());
    out.u32(crc32c(out.bytes()));
    return std::move(out).take();
}

Result<Record> decode_record(ByteView bytes) {
    if (bytes.size() < head_bytes + crc_bytes || bytes.size() > record_bytes_max)
        return damaged("its length is wrong");
    Reader tail(bytes.last(crc_bytes));
    if (tail.u32() != crc32c(bytes.first(bytes.size() - crc_bytes)))
        return damaged("its checksum does not fit");
    Reader in(bytes.first(bytes.size() - crc_bytes));
    if (in.u32() != magic) return damaged("it is something else");
    if (const auto found = in.u16(); found != format)
        return Error{Errc::data_loss, "the record of the register has format " +
                                          std::to_string(found) + ", this version knows " +
                                          std::to_string(format)};
    if (in.u32() != bytes.size()) return damaged("its length is wrong");

    Record record;
    record.serial = in.u64();
    record.epoch = in.u64();
    record.holder.node = in.text(name_bytes_max);
    record.holder.incarnation = in.text(name_bytes_max);
    const std::size_t nodes = in.u16();
    for (std::size_t i = 0; i < nodes && in.ok(); ++i) {
        auto node = in.text(name_bytes_max);
        record.incarnations[std::move(node)] = in.text(name_bytes_max);
    }
    const std::size_t members = in.u16();
    for (std::size_t i = 0; i < members && in.ok(); ++i) {
        auto node = in.text(name_bytes_max);
        record.in_sync.insert(Member{std::move(node), in.text(name_bytes_max)});
    }
    record.in_sync_seq = in.u64();
    const bool counts = record.incarnations.size() == nodes && record.in_sync.size() == members &&
                        nodes <= members_max && members <= members_max;
    if (!in.done() || !counts || record.epoch > epoch_max ||
        !std::ranges::equal(encode(record), bytes))
        return damaged("its contents make no sense");
    return record;
}

}  // namespace umbra::gateway
