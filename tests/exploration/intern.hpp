#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace umbra::exploration {

/// Mixes `value` into `seed`; spreads well enough for tables in memory.
inline void mix(std::uint64_t& seed, std::uint64_t value) {
    seed ^= value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2);
    seed *= 0xff51afd7ed558ccdULL;
    seed ^= seed >> 32;
}
inline void mix(std::uint64_t& seed, std::string_view text) {
    mix(seed, std::hash<std::string_view>{}(text));
}

inline std::uint64_t hash_of(const std::string& text) { return std::hash<std::string>{}(text); }

/// Gives equal values equal numbers, from 0 on. Compares with `==`, so two values that only hash
/// alike stay two. Values stay where they are for the life of the table.
///
/// Needs `std::uint64_t hash_of(const T&)` beside T.
template <class T>
class Intern {
public:
    std::uint32_t operator()(T value) {
        const std::uint64_t hash = hash_of(value);
        auto [it, end] = numbers_.equal_range(hash);
        for (; it != end; ++it) {
            if (values_[it->second] == value) return it->second;
        }
        const auto number = static_cast<std::uint32_t>(values_.size());
        values_.push_back(std::move(value));
        numbers_.emplace(hash, number);
        return number;
    }
    const T& operator[](std::uint32_t number) const { return values_[number]; }
    [[nodiscard]] std::size_t size() const { return values_.size(); }

private:
    std::deque<T> values_;
    std::unordered_multimap<std::uint64_t, std::uint32_t> numbers_;
};

/// Values by key, as `std::unordered_map` with fewer looks into memory that is far away. What is in
/// it stays where it is.
template <class Key, class Value, class Hash>
class Memo {
public:
    /// @return the value, and whether it is new
    std::pair<Value&, bool> try_emplace(const Key& key) {
        if ((entries_.size() + 1) * 10 >= table_.size() * 7) grow();
        const std::uint64_t hash = Hash{}(key);
        auto at = hash & (table_.size() - 1);
        for (; table_[at] != 0; at = (at + 1) & (table_.size() - 1)) {
            if (table_[at] >> 32U != hash >> 32U) continue;
            auto& entry = entries_[static_cast<std::uint32_t>(table_[at]) - 1];
            if (entry.first == key) return {entry.second, false};
        }
        entries_.emplace_back(key, Value{});
        table_[at] = (hash >> 32U << 32U) | entries_.size();
        return {entries_.back().second, true};
    }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    void grow() {
        table_.assign(std::max<std::size_t>(1 << 12, table_.size() * 2), 0);
        std::uint64_t number = 0;
        for (const auto& [key, value] : entries_) {
            const std::uint64_t hash = Hash{}(key);
            auto at = hash & (table_.size() - 1);
            while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
            table_[at] = (hash >> 32U << 32U) | ++number;
        }
    }

    std::deque<std::pair<Key, Value>> entries_;
    std::vector<std::uint64_t>
        table_;  ///< Open addressing: number + 1 below more of the hash, or 0.
};

/// Texts by number: messages between the instances, positions, complaints.
using Texts = Intern<std::string>;

}  // namespace umbra::exploration
