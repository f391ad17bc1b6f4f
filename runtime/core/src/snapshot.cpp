#include "document_bytes.hpp"
#include <umbra/core/log.hpp>
#include <umbra/core/snapshot.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace umbra::core {

template <class A>
void visit(A& a, Operation& o) {
    a(o.id)(o.revision);
}

namespace {

/// Stands where a body of old has the number of its keys, which never was so large.
constexpr std::uint32_t magic = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint16_t version = 1;

bool is_sane(const Operation& operation, const Position& at) {
    const auto& [id, revision] = operation;
    return !id.empty() && id.size() <= Snapshot::operation_bytes_max && revision.seq != 0 &&
           revision.seq <= at.revision.seq && revision.epoch <= at.revision.epoch;
}

bool are_sane(const Snapshot& s) {
    const auto follows = [](const Position& a, const Position& b) {
        return a.revision.seq < b.revision.seq && a.revision.epoch <= b.revision.epoch;
    };
    const auto& operations = s.operations;
    const bool ordered =
        std::adjacent_find(operations.begin(), operations.end(), [](const auto& a, const auto& b) {
            return !is_older(a, b);
        }) == operations.end();
    const bool in_step =
        std::adjacent_find(s.marks.begin(), s.marks.end(), [&](const auto& a, const auto& b) {
            return !follows(a, b);
        }) == s.marks.end();
    return operations.size() <= Snapshot::operations_max && s.marks.size() <= Snapshot::marks_max &&
           ordered && in_step && (s.marks.empty() || follows(s.marks.back(), s.position)) &&
           std::all_of(operations.begin(), operations.end(),
                       [&](const auto& o) { return is_sane(o, s.position); });
}

}  // namespace

std::string encode_snapshot(const Document& document, const std::vector<Operation>& operations,
                            const std::vector<Position>& marks) {
    Writer writer;
    writer(magic)(version);
    put(writer, document);
    writer(operations)(marks);
    return writer.take();
}

std::string encode(const Snapshot& snapshot) {
    return encode_snapshot(snapshot.document, snapshot.operations, snapshot.marks);
}

std::optional<Snapshot> decode_snapshot(const Position& position, std::string_view body) {
    if (body.size() > Snapshot::bytes_max) return std::nullopt;
    std::uint32_t first = 0;
    Reader reader{body};
    reader(first);
    if (first != magic) {
        auto document = decode_document(body);
        if (!document) return std::nullopt;
        return Snapshot{position, std::move(*document)};
    }
    std::uint16_t made_by = 0;
    reader(made_by);
    if (made_by != version) return std::nullopt;
    Snapshot snapshot{position};
    if (!get(reader, snapshot.document)) return std::nullopt;
    reader(snapshot.operations)(snapshot.marks);
    if (!reader.finished() || !are_sane(snapshot)) return std::nullopt;
    return snapshot;
}

}  // namespace umbra::core
