#pragma once

#include "party.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::exploration {

/// As `Intern`, for parties: keeps their bytes, and as objects those that were asked for lately.
class Parties {
public:
    /// What is asked for stays where it is for so many others that are asked for after it.
    static constexpr std::size_t thawed_max = std::size_t{1} << 17;
    /// So many are compared with what comes of their bytes, member by member.
    static constexpr std::size_t checked_max = 100'000;

    std::uint32_t operator()(const Party& party);
    const Party& operator[](std::uint32_t number) const {
        const auto place = number < places_.size() ? places_[number] : nowhere;
        if (place == nowhere) return thaw_here(number);
        thawed_[place].used = true;
        return thawed_[place].party;
    }
    [[nodiscard]] std::size_t size() const { return frozen_.size(); }

private:
    static constexpr std::size_t chunk_bytes = std::size_t{1} << 24;
    static constexpr std::uint32_t nowhere = UINT32_MAX;
    struct Frozen {
        std::uint32_t chunk, begin, size;
    };
    struct Thawed {
        std::uint32_t number = nowhere;
        bool used = false;
        Party party;
    };

    [[nodiscard]] std::string_view bytes_of(std::uint32_t number) const;
    void grow();
    const Party& thaw_here(std::uint32_t number) const;

    std::deque<std::string> chunks_;
    std::vector<Frozen> frozen_;
    std::vector<std::uint32_t> table_;           ///< Open addressing: number + 1, or 0.
    mutable std::vector<std::uint32_t> places_;  ///< Of each in `thawed_`.
    mutable std::deque<Thawed> thawed_;
    mutable std::size_t hand_ = 0;
};

}  // namespace umbra::exploration
