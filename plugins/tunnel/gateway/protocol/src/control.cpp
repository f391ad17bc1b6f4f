#include <umbra/gateway/control.hpp>

#include <algorithm>

namespace umbra::gateway {
namespace {

/// On the wire: append only.
enum class Type : std::uint8_t {
    hello = 1,
    enrol = 2,
    claim = 3,
    activate = 4,
    consent = 5,
    drain = 6,
    in_sync = 7,
    welcome = 16,
    refused = 17,
    enrolled = 18,
    claim_answer = 19,
    activated = 20,
    refused_epoch = 21,
    answer = 22,
    register_ = 23,
    holder_lost = 24,
    fenced = 25,
    bye = 32,
    keys = 33,
    keys_stored = 34,
    retire = 35,
};

// Each body is described once, by a function that both the encoder and the decoder walk through.
// `Put` and `Get` have the same functions; Put's arguments are only read.
struct Put {
    Writer& out;

    void num(std::uint8_t v) { out.u8(v); }
    void num(std::uint16_t v) { out.u16(v); }
    void num(std::uint32_t v) { out.u32(v); }
    void num(std::uint64_t v) { out.u64(v); }
    void num(std::int64_t v) { out.u64(static_cast<std::uint64_t>(v)); }
    void flag(bool v) { out.u8(v ? 1 : 0); }
    template <std::size_t n>
    void raw(const std::array<std::uint8_t, n>& v) {
        out.raw(v);
    }
    void name(const std::string& v) { out.text(v, name_bytes_max); }
    void text(const std::string& v) { out.text(v, text_bytes_max); }
    void pin(const std::string& v) { out.text(v, pin_bytes_max); }
    template <class E>
    void choice(E v, E) {
        out.u8(static_cast<std::uint8_t>(v));
    }
    void members(const std::vector<Member>& v) {
        const std::size_t count = std::min(v.size(), members_max);
        out.u16(static_cast<std::uint16_t>(count));
        for (std::size_t i = 0; i < count; ++i) {
            name(v[i].node);
            name(v[i].incarnation);
        }
    }
};

struct Get {
    Reader& in;

    void num(std::uint8_t& v) { v = in.u8(); }
    void num(std::uint16_t& v) { v = in.u16(); }
    void num(std::uint32_t& v) { v = in.u32(); }
    void num(std::uint64_t& v) { v = in.u64(); }
    void num(std::int64_t& v) { v = static_cast<std::int64_t>(in.u64()); }
    void flag(bool& v) {
        const std::uint8_t byte = in.u8();
        if (byte > 1) in.fail();
        v = byte == 1;
    }
    template <std::size_t n>
    void raw(std::array<std::uint8_t, n>& v) {
        in.raw(v);
    }
    void name(std::string& v) { v = in.text(name_bytes_max); }
    void text(std::string& v) { v = in.text(text_bytes_max); }
    void pin(std::string& v) { v = in.text(pin_bytes_max); }
    template <class E>
    void choice(E& v, E last) {
        const std::uint8_t byte = in.u8();
        if (byte < 1 || byte > static_cast<std::uint8_t>(last)) in.fail();
        v = static_cast<E>(byte);
    }
    void members(std::vector<Member>& v) {
        const std::size_t count = in.u16();
        if (count > members_max) in.fail();
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            Member member;
            name(member.node);
            name(member.incarnation);
            v.push_back(std::move(member));
        }
    }
};

template <class Io, class View>
void walk_view(Io& io, View& v) {
    io.num(v.epoch);
    io.name(v.holder);
    io.flag(v.holder_alive);
    io.num(v.holder_heard_ns);
    io.num(v.in_sync_seq);
    io.members(v.in_sync);
    io.name(v.store);
}

/// `M` is one of the messages, const for the encoder.
template <class Io, class M>
void walk(Io& io, M& m) {
    using T = std::remove_const_t<M>;
    if constexpr (std::is_same_v<T, msg::Hello>) {
        io.num(m.proto);
        io.name(m.node);
        io.name(m.incarnation);
        io.raw(m.boot);
        io.num(m.epoch_known);
        io.num(m.link_index);
        io.num(m.links_total);
    } else if constexpr (std::is_same_v<T, msg::Enrol>) {
        io.raw(m.invitation);
        io.raw(m.proof);
        io.name(m.node);
    } else if constexpr (std::is_same_v<T, msg::Claim>) {
        io.num(m.ask);
        io.num(m.epoch);
        io.choice(m.reason, ClaimReason::follow);
    } else if constexpr (std::is_same_v<T, msg::Activate> || std::is_same_v<T, msg::Activated>) {
        io.num(m.ask);
        io.num(m.epoch);
    } else if constexpr (std::is_same_v<T, msg::Consent>) {
        io.num(m.ask);
        io.num(m.epoch);
        io.name(m.successor);
    } else if constexpr (std::is_same_v<T, msg::Drain>) {
        io.num(m.epoch);
    } else if constexpr (std::is_same_v<T, msg::InSync>) {
        io.num(m.ask);
        io.num(m.epoch);
        io.num(m.seq);
        io.members(m.members);
    } else if constexpr (std::is_same_v<T, msg::Welcome>) {
        io.name(m.gateway);
        walk_view(io, m.view);
        io.num(m.ping_ms);
        io.num(m.lease_ms);
    } else if constexpr (std::is_same_v<T, msg::Refused>) {
        io.choice(m.code, RefusalCode::internal);
        io.text(m.text);
    } else if constexpr (std::is_same_v<T, msg::Enrolled>) {
        io.name(m.gateway);
    } else if constexpr (std::is_same_v<T, msg::ClaimAnswer>) {
        io.num(m.ask);
        io.flag(m.granted);
        walk_view(io, m.view);
        io.text(m.text);
    } else if constexpr (std::is_same_v<T, msg::RefusedEpoch>) {
        io.num(m.ask);
        walk_view(io, m.view);
    } else if constexpr (std::is_same_v<T, msg::Answer>) {
        io.num(m.ask);
        io.flag(m.accepted);
        io.text(m.text);
    } else if constexpr (std::is_same_v<T, msg::Register> || std::is_same_v<T, msg::HolderLost>) {
        walk_view(io, m.view);
    } else if constexpr (std::is_same_v<T, msg::Fenced>) {
        walk_view(io, m.view);
        io.flag(m.drain);
    } else if constexpr (std::is_same_v<T, msg::Bye>) {
        io.text(m.text);
    } else if constexpr (std::is_same_v<T, msg::Keys> || std::is_same_v<T, msg::KeysStored>) {
        io.pin(m.pins.present);
        io.pin(m.pins.next);
    } else {
        static_assert(std::is_same_v<T, msg::Retire>);
    }
}

template <class M>
constexpr Type type_of() {
    if constexpr (std::is_same_v<M, msg::Hello>) return Type::hello;
    if constexpr (std::is_same_v<M, msg::Enrol>) return Type::enrol;
    if constexpr (std::is_same_v<M, msg::Claim>) return Type::claim;
    if constexpr (std::is_same_v<M, msg::Activate>) return Type::activate;
    if constexpr (std::is_same_v<M, msg::Consent>) return Type::consent;
    if constexpr (std::is_same_v<M, msg::Drain>) return Type::drain;
    if constexpr (std::is_same_v<M, msg::InSync>) return Type::in_sync;
    if constexpr (std::is_same_v<M, msg::Welcome>) return Type::welcome;
    if constexpr (std::is_same_v<M, msg::Refused>) return Type::refused;
    if constexpr (std::is_same_v<M, msg::Enrolled>) return Type::enrolled;
    if constexpr (std::is_same_v<M, msg::ClaimAnswer>) return Type::claim_answer;
    if constexpr (std::is_same_v<M, msg::Activated>) return Type::activated;
    if constexpr (std::is_same_v<M, msg::RefusedEpoch>) return Type::refused_epoch;
    if constexpr (std::is_same_v<M, msg::Answer>) return Type::answer;
    if constexpr (std::is_same_v<M, msg::Register>) return Type::register_;
    if constexpr (std::is_same_v<M, msg::HolderLost>) return Type::holder_lost;
    if constexpr (std::is_same_v<M, msg::Fenced>) return Type::fenced;
    if constexpr (std::is_same_v<M, msg::Bye>) return Type::bye;
    if constexpr (std::is_same_v<M, msg::Keys>) return Type::keys;
    if constexpr (std::is_same_v<M, msg::KeysStored>) return Type::keys_stored;
    if constexpr (std::is_same_v<M, msg::Retire>) return Type::retire;
}

/// Tries the alternatives of the variant one after the other.
template <std::size_t i = 0>
Result<ControlMessage> decode_as(std::uint8_t type, Reader& reader) {
    if constexpr (i == std::variant_size_v<ControlMessage>) {
        return Error{Errc::invalid,
                     "control message refused: unknown type " + std::to_string(type)};
    } else {
        using M = std::variant_alternative_t<i, ControlMessage>;
        if (static_cast<std::uint8_t>(type_of<M>()) != type) return decode_as<i + 1>(type, reader);
        M message;
        Get get{reader};
        walk(get, message);
        if (!reader.done())
            return Error{Errc::invalid,
                         "control message refused: malformed body of type " + std::to_string(type)};
        return ControlMessage{std::move(message)};
    }
}

}  // namespace

Bytes encode(const ControlMessage& message) {
    Writer out;
    out.u16(0);
    std::visit(
        [&out]<class M>(const M& m) {
            out.u8(static_cast<std::uint8_t>(type_of<M>()));
            Put put{out};
            walk(put, m);
        },
        message);
    const std::size_t length = out.size() - 2;
    out.bytes()[0] = static_cast<std::uint8_t>(length >> 8);
    out.bytes()[1] = static_cast<std::uint8_t>(length & 0xff);
    return std::move(out).take();
}

Result<ControlMessage> decode_control(ByteView bytes) {
    Reader reader{bytes};
    const std::uint8_t type = reader.u8();
    if (!reader.ok()) return Error{Errc::invalid, "control message refused: empty"};
    return decode_as(type, reader);
}

void ControlReader::push(ByteView bytes) {
    if (head_ > 0) {
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<ControlMessage>> ControlReader::next() {
    const ByteView rest = ByteView{buffer_}.subspan(head_);
    if (rest.size() < 2) return std::optional<ControlMessage>{};
    const std::size_t length = Reader{rest.first(2)}.u16();
    if (length > limit_)
        return Error{Errc::invalid, "control message refused: " + std::to_string(length) +
                                        " bytes, the limit is " + std::to_string(limit_)};
    if (rest.size() < 2 + length) return std::optional<ControlMessage>{};
    auto message = decode_control(rest.subspan(2, length));
    if (!message) return message.error();
    head_ += 2 + length;
    return std::optional{std::move(*message)};
}

}  // namespace umbra::gateway
