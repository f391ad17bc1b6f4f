// Every decoder, a bounded number of rounds from a fixed seed; both can be set from outside.

#include "fuzz/memory.hpp"
#include "fuzz/mutator.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace umbra::fuzz {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t fallback) {
    const char* const text = std::getenv(name);
    return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

std::vector<Target> all_targets() {
    auto targets = protocol_targets();
    for (auto& target : server_targets()) targets.push_back(std::move(target));
    return targets;
}

class FuzzTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(FuzzTest, PropertiesHold) {
    const auto target = all_targets()[GetParam()];
    const auto seed = from_environment("UMBRA_FUZZ_SEED", 1);
    const auto rounds = from_environment("UMBRA_FUZZ_ROUNDS", 20'000);
    const auto found = fuzz(target, seed, rounds);
    if (found) FAIL() << target.name << ": " << found->property << "\n" << hex(found->input);
}

/// Copies of the input, its re-encodings and lists of pieces: none of it more than this.
constexpr std::size_t memory_factor = 100, memory_base = 64 * 1024;

TEST_P(FuzzTest, MemoryIsBoundedByWhatHasArrived) {
    const auto target = all_targets()[GetParam()];
    Mutator mutator(from_environment("UMBRA_FUZZ_SEED", 2));
    for (int round = 0; round < 2000; ++round) {
        const auto input = mutator.make(target);
        const Allocated allocated;
        (void)target.check(input);
        ASSERT_LE(allocated.most(), memory_factor * input.size() + memory_base)
            << target.name << "\n"
            << hex(input);
    }
}

INSTANTIATE_TEST_SUITE_P(Decoders, FuzzTest, ::testing::Range<std::size_t>(0, all_targets().size()),
                         [](const auto& one) { return all_targets()[one.param].name; });

}  // namespace
}  // namespace umbra::fuzz
