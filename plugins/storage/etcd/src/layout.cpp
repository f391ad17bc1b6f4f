#include <umbra/etcd_storage/layout.hpp>
#include <umbra/storage_queue/checks.hpp>
#include <umbra/storage_queue/checksum.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace umbra::etcd_storage {

namespace {

constexpr std::size_t seq_digits = 20;
constexpr std::size_t part_digits = 4;
constexpr int format = 1;

std::string padded(std::uint64_t value, std::size_t width) {
    auto text = std::to_string(value);
    return text.insert(0, width - text.size(), '0');
}

std::string hex(std::uint64_t value) {
    char text[16];
    return {text, std::to_chars(text, text + sizeof text, value, 16).ptr};
}

std::string hex(const LogPosition& position) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : position.hash) {
        text.push_back(digits[std::to_integer<unsigned>(byte) >> 4]);
        text.push_back(digits[std::to_integer<unsigned>(byte) & 15]);
    }
    return text;
}

template <class T>
bool number(std::string_view text, T& value, int base = 10) {
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return bad == std::errc{} && end == text.data() + text.size();
}

bool unhex(std::string_view text, LogPosition& position) {
    if (text.size() != position.hash.size() * 2) return false;
    for (std::size_t i = 0; i < position.hash.size(); ++i) {
        unsigned value = 0;
        if (!number(text.substr(2 * i, 2), value, 16)) return false;
        position.hash[i] = static_cast<std::byte>(value);
    }
    return true;
}

/// Words of a line, one after the other; `good` once all were what they had to be.
class Words {
public:
    explicit Words(std::string_view line) : rest_(line) {}
    Words& literal(std::string_view word) { return check(next() == word); }
    Words& text(std::string& out) {
        out = next();
        return check(!out.empty());
    }
    Words& value(std::uint64_t& out, int base = 10) { return check(number(next(), out, base)); }
    Words& position(LogPosition& out) {
        value(out.seq).value(out.epoch);
        return check(unhex(next(), out));
    }
    [[nodiscard]] bool good() const { return good_ && rest_.empty(); }

private:
    std::string_view next() {
        const auto word = rest_.substr(0, rest_.find(' '));
        rest_.remove_prefix(std::min(rest_.size(), word.size() + 1));
        return word;
    }
    Words& check(bool fine) {
        good_ = good_ && fine;
        return *this;
    }
    std::string_view rest_;
    bool good_ = true;
};

std::string_view take_line(std::string_view& rest) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    return line;
}

std::string text_of(const LogPosition& position) {
    return std::to_string(position.seq) + " " + std::to_string(position.epoch) + " " +
           hex(position);
}

}  // namespace

std::string Keys::entry(std::uint64_t seq, std::size_t part) const {
    const auto key = prefix_ + "entry/" + padded(seq, seq_digits);
    return part == 0 ? key : key + "/" + padded(part, part_digits);
}

std::string Keys::snapshot(std::uint64_t id, std::size_t part) const {
    return snapshots(id) + padded(part, part_digits);
}

std::string Keys::snapshots(std::uint64_t id) const {
    return prefix_ + "snapshot/" + padded(id, seq_digits) + "/";
}

std::string encode_head(const Head& head) {
    std::string text = "umbra " + std::to_string(format) + "\n";
    text += "owner " + head.owner + " " + head.session + " " + head.instance + "\n";
    text += "writes " + std::to_string(head.writes) + "\n";
    text += "last " + text_of(head.last) + "\n";
    text += "snapshot " + text_of(head.snapshot) + " " + std::to_string(head.snapshot_id) + " " +
            std::to_string(head.snapshot_size) + " " + hex(head.snapshot_sum) + "\n";
    return text + "sum " + hex(storage_queue::crc64(text)) + "\n";
}

Result<Head> decode_head(std::string_view value) {
    const Error damaged{Errc::data_loss, "is damaged"};
    auto rest = value;
    std::uint64_t version = 0;
    if (!Words{take_line(rest)}.literal("umbra").value(version).good()) return damaged;
    if (version > format)
        return Error{Errc::unsupported, "has format " + std::to_string(version) +
                                            ", this version of Umbra knows formats up to " +
                                            std::to_string(format) +
                                            "; run the version that wrote it"};
    Head head;
    const bool good = Words{take_line(rest)}
                          .literal("owner")
                          .text(head.owner)
                          .text(head.session)
                          .text(head.instance)
                          .good() &&
                      Words{take_line(rest)}.literal("writes").value(head.writes).good() &&
                      Words{take_line(rest)}.literal("last").position(head.last).good() &&
                      Words{take_line(rest)}
                          .literal("snapshot")
                          .position(head.snapshot)
                          .value(head.snapshot_id)
                          .value(head.snapshot_size)
                          .value(head.snapshot_sum, 16)
                          .good();
    if (!good || encode_head(head) != value) return damaged;
    return head;
}

std::size_t parts_of(std::size_t body_size) {
    return body_size == 0 ? 1 : (body_size + part_max - 1) / part_max;
}

std::string_view part_of(std::string_view body, std::size_t part) {
    return body.substr(part * part_max, part_max);
}

std::string encode_entry(const LogEntry& entry, std::size_t part) {
    const auto body = part_of(entry.body, part);
    if (part != 0) return std::string{body};
    const auto& position = entry.position;
    return "entry " + std::to_string(position.epoch) + " " + hex(position) + " " +
           std::to_string(entry.body.size()) + " " + hex(storage_queue::checksum(entry)) + "\n" +
           std::string{body};
}

Result<std::optional<LogEntry>> Assembly::take(const std::string& key, std::string value) {
    const auto damaged = [&](const char* what) {
        return Error{Errc::data_loss, "the key " + key + " in etcd " + what};
    };
    if (key != keys_.entry(next_, part_)) return damaged("is not the one that has to follow");
    std::string_view rest = value;
    if (part_ == 0) {
        std::string hash;
        entry_ = {};
        entry_.position.seq = next_;
        Words words{take_line(rest)};
        words.literal("entry").value(entry_.position.epoch).text(hash).value(size_).value(sum_, 16);
        if (!words.good() || !unhex(hash, entry_.position) || size_ > storage_queue::entry_body_max)
            return damaged("does not hold an entry");
    }
    entry_.body += rest;
    ++part_;
    if (rest.size() != part_max && entry_.body.size() != size_) return damaged("is too short");
    if (part_ < parts_of(size_)) return std::optional<LogEntry>{};
    if (entry_.body.size() != size_ || storage_queue::checksum(entry_) != sum_)
        return damaged("does not match the checksum of its entry");
    part_ = 0;
    ++next_;
    return std::optional{std::move(entry_)};
}

}  // namespace umbra::etcd_storage
