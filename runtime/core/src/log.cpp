#include "document_bytes.hpp"
#include "text.hpp"
#include <umbra/core/log.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace umbra::core {

template <class A>
void visit(A& a, Entry& e) {
    a(e.revision)(e.previous)(e.op_id)(e.author)(e.message)(e.time_ms)(e.changes);
}

namespace {

bool ends_epoch(const Position& position, const Position& next) {
    return position.revision.epoch != next.revision.epoch;
}

/// Keeps the newest, in their order.
void add_mark(std::vector<Position>& marks, const Position& position) {
    if (position.revision.seq == 0) return;
    if (marks.size() == Snapshot::marks_max) marks.erase(marks.begin());
    marks.push_back(position);
}

/// Those up to `seq` that a snapshot has room for, oldest first.
std::vector<Operation> newest(const Operations& operations, std::uint64_t seq) {
    std::vector<Operation> list;
    for (auto i = operations.count_until(seq); i != 0 && list.size() < Snapshot::operations_max;) {
        const auto& operation = operations.list()[--i];
        if (operation.id.size() <= Snapshot::operation_bytes_max) list.push_back(operation);
    }
    std::reverse(list.begin(), list.end());
    return list;
}

}  // namespace

std::string encode(const Entry& entry) { return Writer{}(entry).take(); }

std::size_t bytes_at_most(const Entry& entry) {
    // Numbers, lengths and flags: less than this around an entry and around each of its changes.
    constexpr std::size_t around = 128;
    std::size_t bytes = around + entry.op_id.size() + entry.author.size() + entry.message.size();
    for (const auto& change : entry.changes)
        bytes += around + change.key.size() + (change.literal ? change.literal->size() : 0);
    return bytes;
}

std::optional<Entry> decode_entry(std::string_view body) {
    Entry entry;
    Reader reader{body};
    if (body.size() > Log::entry_bytes_max) return std::nullopt;
    reader(entry);
    if (!reader.finished() || entry.changes.size() > Log::changes_max) return std::nullopt;
    return entry;
}

std::optional<Revision> revision_of(std::string_view body) {
    Revision revision;
    Reader reader{body};
    reader(revision);
    if (!reader.ok()) return std::nullopt;
    return revision;
}

std::optional<std::vector<std::string_view>> keys_changed_by(std::string_view body) {
    Position place;  // revision and hash of the entry before, in this order
    std::string_view text, key;
    std::int64_t time_ms = 0;
    std::uint32_t count = 0;
    std::vector<std::string_view> keys;
    Reader reader{body};
    reader(place)(text)(text)(text)(time_ms)(count);
    for (; reader.ok() && count != 0; --count) {
        bool has_literal = false;
        reader(key)(has_literal);
        if (has_literal) reader(text);
        keys.push_back(key);
    }
    if (!reader.finished()) return std::nullopt;
    return keys;
}

std::string encode(const Document& document) {
    Writer writer;
    put(writer, document);
    return writer.take();
}

std::optional<Document> decode_document(std::string_view body) {
    Document document;
    Reader reader{body};
    if (!get(reader, document) || !reader.finished()) return std::nullopt;
    return document;
}

const Logged* Log::at(std::uint64_t seq) const {
    if (seq <= base_.revision.seq || seq > last().revision.seq) return nullptr;
    return &entries_[seq - base_.revision.seq - 1];
}

std::optional<Position> Log::position_at(std::uint64_t seq) const {
    if (seq == base_.revision.seq) return base_;
    const Logged* logged = at(seq);
    if (logged == nullptr) return std::nullopt;
    return logged->position;
}

std::optional<Document> Log::document_at(std::uint64_t seq) const {
    if (seq < base_.revision.seq || seq > last().revision.seq) return std::nullopt;
    if (seq == last().revision.seq) return document_;
    Document document = base_document_;
    for (const auto& logged : entries_) {
        if (logged.position.revision.seq > seq) break;
        core::apply(document, decode_entry(logged.body)->changes);
    }
    return document;
}

bool Log::contains(const Position& position) const {
    if (position.revision.seq == 0) return position == Position{};
    if (position_at(position.revision.seq) == position) return true;
    return std::find(marks_.begin(), marks_.end(), position) != marks_.end();
}

std::vector<Position> Log::boundaries() const {
    std::vector<Position> list;
    for (auto it = entries_.rbegin(); it != entries_.rend() && list.size() < boundaries_max; ++it) {
        if (list.empty() || list.back().revision.epoch != it->position.revision.epoch) {
            list.push_back(it->position);
        }
    }
    list.push_back(base_);
    return list;
}

Hash Log::digest() const { return hash_(encode(document_)); }

Hash Log::chain(const Hash& previous, const std::string& body) const {
    std::string bytes(reinterpret_cast<const char*>(previous.data()), previous.size());
    return hash_(bytes + body);
}

void Log::add(Position position, std::string body, const Entry& entry) {
    core::apply(document_, entry.changes);
    auto ids = lines_of(entry.op_id);
    std::sort(ids.begin(), ids.end());
    for (const auto id : ids) operations_.add(id, position.revision);
    entries_.push_back({position, std::move(body)});
}

const Logged& Log::append(Epoch epoch, Entry edit) {
    assert(epoch >= last().revision.epoch);
    edit.revision = {epoch, last().revision.seq + 1};
    edit.previous = last().hash;
    std::string body = encode(edit);
    const Position position{edit.revision, chain(edit.previous, body)};
    add(position, std::move(body), edit);
    return entries_.back();
}

bool Log::push(const std::string& body) {
    const auto entry = decode_entry(body);
    if (!entry) return false;
    if (entry->revision.seq != last().revision.seq + 1) return false;
    if (entry->revision.epoch < last().revision.epoch) return false;
    if (entry->previous != last().hash) return false;
    add({entry->revision, chain(entry->previous, body)}, body, *entry);
    return true;
}

std::vector<Logged> Log::truncate(std::uint64_t seq) {
    assert(seq >= base_.revision.seq && seq <= last().revision.seq);
    const auto keep = static_cast<std::ptrdiff_t>(seq - base_.revision.seq);
    std::vector<Logged> cut(entries_.begin() + keep, entries_.end());
    if (cut.empty()) return cut;
    document_ = *document_at(seq);
    entries_.erase(entries_.begin() + keep, entries_.end());
    operations_.forget_after(seq);
    return cut;
}

void Log::install(Snapshot snapshot) {
    base_ = snapshot.position;
    base_document_ = snapshot.document;
    document_ = std::move(snapshot.document);
    marks_ = std::move(snapshot.marks);
    entries_.clear();
    operations_.clear();
    for (const auto& operation : snapshot.operations)
        operations_.add(operation.id, operation.revision);
}

void Log::compact(std::uint64_t seq, const Position& mark) {
    assert(seq >= base_.revision.seq && seq <= last().revision.seq);
    const auto count = static_cast<std::ptrdiff_t>(seq - base_.revision.seq);
    for (auto it = entries_.begin(); it != entries_.begin() + count; ++it) {
        const auto& [position, body] = *it;
        if (ends_epoch(base_, position) || base_ == mark) add_mark(marks_, base_);
        core::apply(base_document_, decode_entry(body)->changes);
        base_ = position;
    }
    entries_.erase(entries_.begin(), entries_.begin() + count);
    forget_operations();
}

/// Of the edits before the base only the newest are remembered.
void Log::forget_operations() {
    const auto known = operations_.count_until(base_.revision.seq);
    operations_.forget_first(known - std::min(known, Snapshot::operations_max));
}

std::string Log::snapshot_at(std::uint64_t seq) const {
    assert(seq >= base_.revision.seq && seq <= last().revision.seq);
    auto marks = marks_;
    Position before = base_;
    for (const auto& [position, body] : entries_) {
        if (position.revision.seq > seq) break;
        if (ends_epoch(before, position)) add_mark(marks, before);
        before = position;
    }
    const auto operations_until = newest(operations_, seq);
    if (seq == base_.revision.seq) return encode_snapshot(base_document_, operations_until, marks);
    if (seq == last().revision.seq) return encode_snapshot(document_, operations_until, marks);
    return encode_snapshot(*document_at(seq), operations_until, marks);
}

}  // namespace umbra::core
