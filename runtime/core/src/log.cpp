#include <umbra/core/bytes.hpp>
#include <umbra/core/log.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace umbra::core {

template <class A>
void visit(A& a, Change& c) {
    a(c.key)(c.literal);
}
template <class A>
void visit(A& a, Entry& e) {
    a(e.revision)(e.previous)(e.op_id)(e.author)(e.message)(e.time_ms)(e.changes);
}

std::string encode(const Entry& entry) { return Writer{}(entry).take(); }

std::optional<Entry> decode_entry(std::string_view body) {
    Entry entry;
    Reader reader{body};
    if (body.size() > Log::entry_bytes_max) return std::nullopt;
    reader(entry);
    if (!reader.finished() || entry.changes.size() > Log::changes_max) return std::nullopt;
    return entry;
}

std::string encode(const Document& document) {
    std::vector<Change> list;
    list.reserve(document.size());
    for (const auto& [key, literal] : document) list.push_back({key, literal});
    return Writer{}(list).take();
}

std::optional<Document> decode_document(std::string_view body) {
    std::vector<Change> list;
    Reader reader{body};
    reader(list);
    if (!reader.finished()) return std::nullopt;
    Document document;
    for (auto& change : list) {
        // Sorted and without repetition, as `encode` writes it: one document has one encoding.
        const bool follows = document.empty() || document.rbegin()->first < change.key;
        if (!change.literal || !follows) return std::nullopt;
        document.emplace_hint(document.end(), std::move(change.key), std::move(*change.literal));
    }
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

std::optional<Revision> Log::find_op(const std::string& op_id) const {
    const auto found = ops_.find(op_id);
    if (found == ops_.end()) return std::nullopt;
    return at(found->second)->position.revision;
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
    for (std::size_t at = 0; at < entry.op_id.size();) {
        const auto end = std::min(entry.op_id.find('\n', at), entry.op_id.size());
        ops_.emplace(entry.op_id.substr(at, end - at), position.revision.seq);
        at = end + 1;
    }
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
    for (auto it = ops_.begin(); it != ops_.end();) {
        it = it->second > seq ? ops_.erase(it) : std::next(it);
    }
    return cut;
}

void Log::install(const Position& position, Document document) {
    base_ = position;
    base_document_ = document;
    document_ = std::move(document);
    entries_.clear();
    ops_.clear();
}

}  // namespace umbra::core
