#include "window.hpp"
#include <umbra/file_storage/scan.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace umbra::file_storage {

namespace {

/// What a disk writes whole or not at all.
constexpr std::uint64_t sector_size = 512;
constexpr std::size_t window_size = std::size_t{1} << 20;

bool all_zero(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

class Scanner {
public:
    explicit Scanner(Source& source) : window_(source, window_size) {}

    Result<Scanned> run() {
        const auto head = window_.at(0, file_header_size);
        if (!head.ok()) return head.error();
        auto header = decode_file_header(head.value());
        if (!header.ok()) return header.error();
        index_.header = header.value();
        if (window_.size() < index_.header.sealed)
            return Error{Errc::data_loss, "it was cut to " + std::to_string(window_.size()) +
                                              " bytes, it once had " +
                                              std::to_string(index_.header.sealed)};
        while (index_.end < window_.size()) {
            const auto next = record();
            if (!next.ok()) return next.error();
            if (!next.value()) break;
        }
        return Scanned{std::move(index_), torn_, room_};
    }

private:
    /// Takes in one record; false = the rest is room, or torn.
    Result<bool> record() {
        const auto offset = index_.end;
        const auto head = window_.at(offset, record_header_size);
        if (!head.ok()) return head.error();
        if (head.value().size() < record_header_size)
            return invalid(offset, offset + record_header_size, "is incomplete");
        const auto header = decode_record_header(head.value(), index_.header, offset);
        if (!header) return invalid(offset, offset + record_header_size, "has a damaged header");
        const auto end = offset + header->record_size();
        const auto rest =
            window_.at(offset + record_header_size, end - offset - record_header_size);
        if (!rest.ok()) return rest.error();
        if (end > window_.size()) return invalid(offset, end, "is incomplete");
        if (!body_is_intact(*header, rest.value()))
            return invalid(offset, end, "does not match its checksum");
        return accept(*header, end);
    }

    Result<bool> accept(const RecordHeader& header, std::uint64_t end) {
        const auto offset = index_.end;
        const bool first = offset == file_header_size;
        if (header.kind == RecordKind::snapshot) {
            if (!first || header.position.seq == 0) return damage(offset, "is out of place");
            index_.snapshot = header.position;
        } else {
            if (header.position.seq != index_.last.seq + 1)
                return damage(offset, "is out of order");
            index_.offsets.push_back(offset);
        }
        index_.last = header.position;
        index_.end = end;
        return true;
    }

    Result<bool> only_zeros_from(std::uint64_t offset) {
        while (offset < window_.size()) {
            const auto part = window_.at(offset, window_size);
            if (!part.ok()) return part.error();
            if (!all_zero(part.value())) return false;
            offset += part.value().size();
        }
        return true;
    }

    /// Tells room from a torn write, and that from damage. The invalid record is [offset, end).
    Result<bool> invalid(std::uint64_t offset, std::uint64_t end, const char* what) {
        if (offset < index_.header.sealed) return damage(offset, what);
        const auto zeros = only_zeros_from(offset);
        if (!zeros.ok()) return zeros.error();
        if (zeros.value()) {
            room_ = window_.size() - offset;
            return false;
        }
        const auto torn = looks_torn(offset, end);
        if (!torn.ok()) return torn.error();
        if (!torn.value()) return damage(offset, what);
        const auto proof = was_durable(offset);
        if (!proof.ok()) return proof.error();
        if (proof.value()) return damage(offset, what);
        torn_ = window_.size() - offset;
        return false;
    }

    Result<bool> looks_torn(std::uint64_t offset, std::uint64_t end) {
        if (end > window_.size()) {
            // A header that is all there and wrong has not been cut short: that is damage.
            const auto head = window_.at(offset, record_header_size);
            if (!head.ok()) return head.error();
            if (head.value().size() < record_header_size ||
                decode_record_header(head.value(), index_.header, offset))
                return true;
        }
        // No record ends with a zero, so the last bytes of this one were never written.
        if (end <= window_.size()) {
            const auto unwritten = only_zeros_from(end - 1);
            if (!unwritten.ok() || unwritten.value()) return unwritten;
        }
        for (auto at = offset; at < std::min(end, window_.size());) {
            const auto next = (at / sector_size + 1) * sector_size;
            const auto sector = window_.at(at, next - at);
            if (!sector.ok()) return sector.error();
            if (all_zero(sector.value())) return true;
            at = next;
        }
        return false;
    }

    /// Looks behind `offset` for an intact record that was written after `offset` was durable.
    Result<bool> was_durable(std::uint64_t offset) {
        for (auto at = offset + 1; at + record_header_size <= window_.size();) {
            const auto part = window_.at(at, window_size / 2);
            if (!part.ok()) return part.error();
            const auto bytes = part.value();
            const std::size_t starts = bytes.size() - record_header_size + 1;
            for (std::size_t i = 0; i < starts; ++i) {
                if (bytes[i] != 'U') continue;
                const auto header = decode_record_header(bytes.substr(i), index_.header, at + i);
                if (header && header->synced > offset) return true;
            }
            at += starts;
        }
        return false;
    }

    [[nodiscard]] Error damage(std::uint64_t offset, const char* what) const {
        const auto after = index_.last.seq == 0
                               ? std::string{", the first one,"}
                               : ", after entry " + std::to_string(index_.last.seq) + ",";
        return {Errc::data_loss,
                "the record at offset " + std::to_string(offset) + after + " " + what};
    }

    Window window_;
    Index index_;
    std::uint64_t torn_ = 0;
    std::uint64_t room_ = 0;
};

}  // namespace

Result<Scanned> scan(Source& source) { return Scanner{source}.run(); }

}  // namespace umbra::file_storage
