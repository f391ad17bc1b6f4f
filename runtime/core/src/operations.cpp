#include <umbra/core/operations.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace umbra::core {

namespace {

constexpr std::size_t slots_min = 16;

std::uint32_t hash_of(std::string_view id) {
    // Never 0. The lowest bits say the place.
    constexpr std::uint32_t used = 1U << 31;
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(id)) | used;
}

}  // namespace

bool is_older(const Operation& a, const Operation& b) {
    return a.revision.seq != b.revision.seq ? a.revision.seq < b.revision.seq : a.id < b.id;
}

void Operations::add(std::string_view id, Revision revision) {
    if (2 * (list_.size() + 1) >= slots_.size()) grow();
    const auto hash = hash_of(id);
    Slot& slot = slots_[slot_of(id, hash)];
    if (slot.hash != 0) return;
    slot = {hash, first_ + static_cast<std::uint32_t>(list_.size())};
    list_.push_back({std::string{id}, revision});
}

std::optional<Revision> Operations::find(std::string_view id) const {
    if (slots_.empty()) return std::nullopt;
    const Slot& slot = slots_[slot_of(id, hash_of(id))];
    if (slot.hash == 0) return std::nullopt;
    return list_[slot.number - first_].revision;
}

std::size_t Operations::count_until(std::uint64_t seq) const {
    const auto after = std::partition_point(
        list_.begin(), list_.end(),
        [&](const Operation& operation) { return operation.revision.seq <= seq; });
    return static_cast<std::size_t>(after - list_.begin());
}

void Operations::forget_first(std::size_t count) {
    for (; count != 0; --count) {
        remove(list_.front().id);
        list_.pop_front();
        ++first_;
    }
}

void Operations::forget_after(std::uint64_t seq) {
    while (!list_.empty() && list_.back().revision.seq > seq) {
        remove(list_.back().id);
        list_.pop_back();
    }
}

void Operations::clear() {
    list_.clear();
    slots_.clear();
}

std::size_t Operations::slot_of(std::string_view id, std::uint32_t hash) const {
    auto i = home(hash);
    for (; slots_[i].hash != 0; i = next(i)) {
        const Slot& slot = slots_[i];
        if (slot.hash == hash && list_[slot.number - first_].id == id) break;
    }
    return i;
}

void Operations::grow() {
    std::vector<Slot> old(std::max(slots_min, 2 * slots_.size()));
    old.swap(slots_);
    for (const Slot& slot : old) {
        if (slot.hash == 0) continue;
        auto i = home(slot.hash);
        while (slots_[i].hash != 0) i = next(i);
        slots_[i] = slot;
    }
}

/// Leaves no hole that would end somebody's search: whoever may stand in it moves there.
void Operations::remove(std::string_view id) {
    auto hole = slot_of(id, hash_of(id));
    for (auto i = next(hole); slots_[i].hash != 0; i = next(i)) {
        const auto mask = slots_.size() - 1;
        const auto from_home = (i - home(slots_[i].hash)) & mask;
        if (from_home < ((i - hole) & mask)) continue;
        slots_[hole] = slots_[i];
        hole = i;
    }
    slots_[hole] = {};
}

}  // namespace umbra::core
