#include "fuzz/target.hpp"
#include <umbra/gateway/control.hpp>
#include <umbra/gateway/frame.hpp>
#include <umbra/gateway/invitation.hpp>
#include <umbra/gateway/open.hpp>
#include <umbra/gateway/register.hpp>

#include <algorithm>
#include <array>

namespace umbra::fuzz {

using namespace gateway;

namespace {

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// --- frames -------------------------------------------------------------------------------------

Bytes frame(FrameHeader header, const Bytes& payload = {}) {
    Bytes bytes(frame_header_bytes);
    if (header.type == FrameType::data) header.length = static_cast<std::uint32_t>(payload.size());
    encode(header, std::span<std::uint8_t, frame_header_bytes>(bytes.data(), frame_header_bytes));
    return bytes + payload;
}

/// What a decoder made of a stream of bytes.
struct Frames {
    Bytes again;      ///< Headers encoded again, payloads as they came.
    std::string end;  ///< The error, or nothing.
    bool whole = true;
    bool operator==(const Frames&) const = default;
};

Frames read_frames(const std::vector<ByteView>& pieces) {
    FrameDecoder decoder;
    Frames frames;
    std::size_t left = 0;
    for (ByteView bytes : pieces) {
        while (true) {
            const ByteView before = bytes;
            auto piece = decoder.next(bytes);
            if (!piece) {
                frames.end = piece.error().message;
                return frames;
            }
            if (!piece->has_value()) break;
            const auto& [header, payload, begins, ends] = **piece;
            if (begins) {
                frames.again = frames.again + frame({header.type, header.flags, header.stream, 0});
                auto* const length = frames.again.data() + frames.again.size() - 4;
                for (int i = 0; i < 4; ++i)
                    length[i] = static_cast<std::uint8_t>(header.length >> (24 - 8 * i));
                left = header.type == FrameType::data ? header.length : 0;
            }
            frames.again = frames.again + Bytes(payload.begin(), payload.end());
            frames.whole &= payload.size() <= left && ends == (payload.size() == left);
            if (!payload.empty())
                frames.whole &= payload.data() >= before.data() &&
                                payload.data() + payload.size() <= before.data() + before.size();
            left -= std::min(left, payload.size());
        }
        if (!bytes.empty()) frames.whole = false;
    }
    return frames;
}

std::string check_frames(ByteView bytes) {
    const auto whole = read_frames({bytes});
    if (!whole.whole) return "pieces are not what their frame says";
    if (whole.again.size() > bytes.size() || !equal(whole.again, bytes.first(whole.again.size())))
        return "the frames that were read are not those that came";
    if (whole.end.empty() && bytes.size() - whole.again.size() >= frame_header_bytes)
        return "a whole header was neither read nor refused";
    if (read_frames(cut(bytes)) != whole) return "cut otherwise, the frames are others";
    return {};
}

// --- control messages ---------------------------------------------------------------------------

std::vector<Bytes> control_seeds() {
    const RegisterView view{.epoch = 7,
                            .holder = "alpha",
                            .holder_alive = true,
                            .holder_heard_ns = 5,
                            .in_sync_seq = 42,
                            .in_sync = {{"alpha", "i1"}, {"beta", "i2"}}};
    const std::vector<ControlMessage> messages{
        msg::Hello{.node = "alpha", .incarnation = "i1", .epoch_known = 5},
        msg::Enrol{.node = "alpha"},
        msg::Claim{.ask = 1, .epoch = 2, .reason = ClaimReason::forced},
        msg::Activate{.ask = 1, .epoch = 2},
        msg::Consent{.ask = 1, .epoch = 2, .successor = "beta"},
        msg::Drain{.epoch = 2},
        msg::InSync{.ask = 1, .epoch = 2, .seq = 3, .members = view.in_sync},
        msg::Welcome{.gateway = "cloud", .view = view, .ping_ms = 100, .lease_ms = 600},
        msg::Refused{.code = RefusalCode::internal, .text = "disk"},
        msg::Enrolled{.gateway = "cloud"},
        msg::ClaimAnswer{.ask = 1, .granted = true, .view = view, .text = "why"},
        msg::Activated{.ask = 1, .epoch = 2},
        msg::RefusedEpoch{.ask = 1, .view = view},
        msg::Answer{.ask = 1, .accepted = true, .text = "why"},
        msg::Register{.view = view},
        msg::HolderLost{.view = view},
        msg::Fenced{.view = view, .drain = true},
        msg::Bye{.text = "stopping"}};
    std::vector<Bytes> seeds;
    for (const auto& message : messages) seeds.push_back(encode(message));
    seeds.push_back(seeds[0] + seeds[2] + seeds[3]);
    return seeds;
}

struct Messages {
    Bytes again;
    std::string end;
    bool operator==(const Messages&) const = default;
};

Messages read_messages(const std::vector<ByteView>& pieces) {
    ControlReader reader;
    Messages messages;
    for (const auto piece : pieces) {
        reader.push(piece);
        while (true) {
            const auto message = reader.next();
            if (!message) {
                messages.end = message.error().message;
                return messages;
            }
            if (!message->has_value()) break;
            messages.again = messages.again + encode(**message);
        }
    }
    return messages;
}

std::string check_control(ByteView bytes) {
    const auto whole = read_messages({bytes});
    if (whole.again.size() > bytes.size() || !equal(whole.again, bytes.first(whole.again.size())))
        return "a message does not encode to what it came from";
    if (read_messages(cut(bytes)) != whole) return "cut otherwise, the messages are others";
    return {};
}

// --- OPEN and STATUS ----------------------------------------------------------------------------

template <class Decode>
std::string check_preamble(ByteView bytes, Decode decode) {
    const auto found = decode(bytes);
    if (!found) {
        // What can not become one must not have been one when it was shorter.
        for (std::size_t size = 0; size < std::min<std::size_t>(bytes.size(), 64); ++size)
            if (const auto prefix = decode(bytes.first(size)); prefix && prefix->has_value())
                return "more bytes make an error of what was whole";
        return {};
    }
    if (!found->has_value())
        return bytes.size() > 2 + open_bytes_max + text_bytes_max ? "it waits for ever" : "";
    const auto& [value, taken] = **found;
    if (taken > bytes.size()) return "more was taken than there is";
    if (!equal(encode(value), bytes.first(taken))) return "it does not encode to what it came from";
    for (std::size_t size = 0; size < taken; ++size)
        if (const auto prefix = decode(bytes.first(size)); !prefix || prefix->has_value())
            return "a part of it is an error, or taken for the whole";
    return {};
}

// --- texts --------------------------------------------------------------------------------------

std::string check_invitation(ByteView bytes) {
    const auto text = text_of(bytes);
    const auto parsed = parse_invitation(text);
    if (!parsed) return parsed.error().message.empty() ? "an error without a word" : "";
    const auto again = to_text(*parsed);
    if (text.find(again) == std::string::npos) return "two texts are the same invitation";
    const auto back = parse_invitation(again);
    return back && *back == *parsed ? "" : "it does not come back";
}

std::string check_pin(ByteView bytes) {
    const auto text = text_of(bytes);
    const auto parsed = parse_pin(text);
    return !parsed || pin_text(*parsed) == text ? "" : "two texts are the same pin";
}

// --- the record ---------------------------------------------------------------------------------

std::vector<Bytes> record_seeds() {
    Record record;
    Record full = record;
    full.serial = 9;
    full.epoch = 4;
    full.holder = {"alpha", "i1"};
    full.incarnations = {{"alpha", "i1"}, {"beta", "i2"}};
    full.in_sync = {{"alpha", "i1"}, {"beta", "i2"}};
    full.in_sync_seq = 3;
    return {encode(record), encode(full)};
}

void repair_record(Bytes& bytes) {
    if (bytes.size() < 14) return;
    const auto put = [&](std::size_t at, std::uint32_t value) {
        for (std::size_t i = 0; i < 4; ++i)
            bytes[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
    };
    put(6, static_cast<std::uint32_t>(bytes.size()));
    put(bytes.size() - 4, crc32c(ByteView(bytes).first(bytes.size() - 4)));
}

std::string check_record(ByteView bytes) {
    const auto record = decode_record(bytes);
    if (!record) return {};
    return equal(encode(*record), bytes) ? "" : "it does not encode to what it came from";
}

}  // namespace

std::vector<Target> protocol_targets() {
    const Invitation invitation{.id = {1, 2, 3}, .secret = {4, 5}, .gateway_pin = {6}};
    const OpenRequest request{7, "crm.cloud", 8080, "[2001:db8::1]:50000"};
    return {
        {"frames",
         {frame({FrameType::data, flag::syn, 1, 0}, {1, 2, 3}),
          frame({FrameType::window, flag::ack, 2, 4096}) +
              frame({FrameType::ping, flag::syn, 0, 9}),
          frame({FrameType::data, flag::fin, 2, 0}) + frame({FrameType::goaway, 0, 0, 1}),
          frame({FrameType::data, 0, 4, 0}, Bytes(data_bytes_max_early, 7))},
         check_frames},
        {"control", control_seeds(), check_control},
        {"open",
         {encode(request), encode(OpenRequest{1, "a", 1, ""}) + bytes_of("GET / HTTP/1.1\r\n")},
         [](ByteView bytes) {
             return check_preamble(bytes, [](ByteView part) { return decode_open(part); });
         }},
        {"status",
         {encode(OpenStatus{}), encode(OpenStatus{StatusCode::denied, "no mapping"}) + Bytes{1}},
         [](ByteView bytes) {
             return check_preamble(bytes, [](ByteView part) { return decode_status(part); });
         }},
        {"invitation",
         {bytes_of(to_text(invitation)), bytes_of(" " + to_text({}) + "\n")},
         check_invitation},
        {"pin", {bytes_of(pin_text({1, 2, 0xab}))}, check_pin},
        {"record", record_seeds(), check_record, repair_record},
    };
}

}  // namespace umbra::fuzz
