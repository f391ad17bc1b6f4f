#include "parties.hpp"

#include "frozen.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <utility>

namespace umbra::exploration {

namespace {

constexpr std::size_t parties_at_first = std::size_t{1} << 12;

std::size_t hash_of(std::string_view bytes) { return std::hash<std::string_view>{}(bytes); }

}  // namespace

std::string_view Parties::bytes_of(std::uint32_t number) const {
    const auto& one = frozen_[number];
    return std::string_view(chunks_[one.chunk]).substr(one.begin, one.size);
}

std::uint32_t Parties::operator()(const Party& party) {
    const auto bytes = freeze(party);
    if ((frozen_.size() + 1) * 10 >= table_.size() * 7) grow();
    const auto mask = table_.size() - 1;
    auto at = hash_of(bytes) & mask;
    for (; table_[at] != 0; at = (at + 1) & mask) {
        if (bytes_of(table_[at] - 1) == bytes) return table_[at] - 1;
    }
    if (frozen_.size() < checked_max && !(thaw(bytes) == party)) {
        throw std::logic_error("tests/exploration/frozen.cpp leaves a member out");
    }
    if (chunks_.empty() || chunks_.back().size() + bytes.size() > chunk_bytes) {
        chunks_.emplace_back().reserve(chunk_bytes);
    }
    frozen_.push_back({static_cast<std::uint32_t>(chunks_.size() - 1),
                       static_cast<std::uint32_t>(chunks_.back().size()),
                       static_cast<std::uint32_t>(bytes.size())});
    chunks_.back() += bytes;
    table_[at] = static_cast<std::uint32_t>(frozen_.size());
    return table_[at] - 1;
}

void Parties::grow() {
    table_.assign(std::max(parties_at_first, table_.size() * 2), 0);
    const auto mask = table_.size() - 1;
    for (std::uint32_t i = 0; i < frozen_.size(); ++i) {
        auto at = hash_of(bytes_of(i)) & mask;
        while (table_[at] != 0) at = (at + 1) & mask;
        table_[at] = i + 1;
    }
}

/// Second chance: the hand passes who was asked for since it came by.
const Party& Parties::thaw_here(std::uint32_t number) const {
    if (places_.size() <= number) places_.resize(frozen_.size() * 3 / 2, nowhere);
    if (thawed_.size() < thawed_max) {
        hand_ = thawed_.size();
        thawed_.emplace_back();
    } else {
        do {
            hand_ = (hand_ + 1) % thawed_max;
        } while (std::exchange(thawed_[hand_].used, false));
        places_[thawed_[hand_].number] = nowhere;
    }
    auto& here = thawed_[hand_];
    here.number = number;
    here.used = true;
    here.party = thaw(bytes_of(number));
    places_[number] = static_cast<std::uint32_t>(hand_);
    return here.party;
}

}  // namespace umbra::exploration
