#pragma once

#include <umbra/core/bytes.hpp>
#include <umbra/core/document.hpp>

#include <string>
#include <utility>
#include <vector>

namespace umbra::core {

template <class A>
void visit(A& a, Change& c) {
    a(c.key)(c.literal);
}

/// As a list of changes, so that one that sets every key and a document look alike.
inline void put(Writer& writer, const Document& document) {
    writer(static_cast<std::uint32_t>(document.size()));
    for (const auto& [key, literal] : document) writer(key)(true)(literal);
}

/// Sorted and without repetition, as `put` writes it: one document has one encoding.
inline bool get(Reader& reader, Document& document) {
    std::vector<Change> list;
    reader(list);
    if (!reader.ok()) return false;
    for (auto& change : list) {
        const bool follows = document.empty() || document.rbegin()->first < change.key;
        if (!change.literal || !follows) return false;
        document.emplace_hint(document.end(), std::move(change.key), std::move(*change.literal));
    }
    return true;
}

}  // namespace umbra::core
