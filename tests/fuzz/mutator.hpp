#pragma once

#include "fuzz/target.hpp"

namespace umbra::fuzz {

/// Makes inputs out of inputs; the same ones from the same seed.
class Mutator {
public:
    static constexpr std::size_t input_bytes_max = 16 * 1024;

    explicit Mutator(std::uint64_t seed) : random_(seed) {}

    /// A few changes to one of the seeds.
    [[nodiscard]] Bytes make(const Target& target) {
        Bytes input = pick(target.seeds);
        for (auto changes = 1 + random_.below(4); changes > 0; --changes) change(input, target);
        if (input.size() > input_bytes_max) input.resize(input_bytes_max);
        if (target.repair && random_.below(2) == 0) target.repair(input);
        return input;
    }

private:
    const Bytes& pick(const std::vector<Bytes>& from) { return from[random_.below(from.size())]; }

    void change(Bytes& input, const Target& target) {
        if (input.empty()) input.push_back(0);
        const std::size_t at = random_.below(input.size());
        const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
        const std::size_t some = 1 + random_.below(std::min<std::size_t>(input.size() - at, 32));
        const auto end = place + static_cast<std::ptrdiff_t>(some);
        switch (random_.below(9)) {
            case 0:
                *place ^= static_cast<std::uint8_t>(1u << random_.below(8));
                break;
            case 1:
                *place = interesting();
                break;
            case 2:
                *place = static_cast<std::uint8_t>(*place + (random_.below(2) == 0 ? 1 : -1));
                break;
            case 3:
                input.erase(place, end);
                break;
            case 4: {
                const Bytes again(place, end);
                input.insert(place, again.begin(), again.end());
                break;
            }
            case 5:
                input.insert(place, some, interesting());
                break;
            case 6:
                input.resize(at);
                break;
            case 7: {
                const Bytes& other = pick(target.seeds);
                if (other.empty()) break;
                const auto from = static_cast<std::ptrdiff_t>(random_.below(other.size()));
                input.resize(at);
                input.insert(input.end(), other.begin() + from, other.end());
                break;
            }
            default:
                number(input, at);
        }
    }

    std::uint8_t interesting() {
        static constexpr std::uint8_t bytes[] = {0,    1,   2,    3,    4,    5,   '\t', '\n',
                                                 '\r', ' ', '%',  '.',  '/',  ':', '=',  '[',
                                                 ']',  'A', 0x7f, 0x80, 0xfe, 0xff};
        return bytes[random_.below(std::size(bytes))];
    }

    /// A length, a count or a number at its border, in network order.
    void number(Bytes& input, std::size_t at) {
        static constexpr std::uint64_t numbers[] = {
            0,      1,        63,         64,         65,         255,        256,   1023,
            1024,   1025,     4096,       4097,       32767,      65535,      65536, 1u << 20,
            262144, 1u << 24, 0x7fffffff, 0x80000000, 0xffffffff, ~0ull >> 1, ~0ull};
        const std::size_t width = std::size_t{1} << random_.below(4);
        auto value = numbers[random_.below(std::size(numbers))];
        for (std::size_t i = width; i-- > 0; value >>= 8)
            if (at + i < input.size()) input[at + i] = static_cast<std::uint8_t>(value & 0xff);
    }

    Random random_;
};

/// What a run has found.
struct Finding {
    Bytes input;
    std::string property;
};

/// The seeds as they are, then `rounds` mutations of them; stops at the first finding.
inline std::optional<Finding> fuzz(const Target& target, std::uint64_t seed, std::size_t rounds) {
    for (const auto& input : target.seeds)
        if (auto broken = target.check(input); !broken.empty()) return Finding{input, broken};
    Mutator mutator(seed);
    for (std::size_t round = 0; round < rounds; ++round) {
        auto input = mutator.make(target);
        if (auto broken = target.check(input); !broken.empty())
            return Finding{std::move(input), std::move(broken)};
    }
    return std::nullopt;
}

}  // namespace umbra::fuzz
