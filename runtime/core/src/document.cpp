#include <umbra/core/document.hpp>

namespace umbra::core {

void apply(Document& document, const std::vector<Change>& changes) {
    for (const auto& change : changes) {
        if (change.literal) {
            document.insert_or_assign(change.key, *change.literal);
        } else {
            document.erase(change.key);
        }
    }
}

std::vector<Change> difference(const Document& from, const Document& to) {
    std::vector<Change> changes;
    auto a = from.begin();
    auto b = to.begin();
    while (a != from.end() || b != to.end()) {
        if (b == to.end() || (a != from.end() && a->first < b->first)) {
            changes.push_back({a->first, std::nullopt});
            ++a;
        } else if (a == from.end() || b->first < a->first) {
            changes.push_back({b->first, b->second});
            ++b;
        } else {
            if (a->second != b->second) changes.push_back({b->first, b->second});
            ++a;
            ++b;
        }
    }
    return changes;
}

}  // namespace umbra::core
