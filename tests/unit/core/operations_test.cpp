#include <umbra/core/operations.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>

namespace umbra::core {
namespace {

TEST(Operations, AreFoundByIdAndTheFirstWithAnIdStays) {
    Operations operations;
    EXPECT_FALSE(operations.find("a"));
    operations.add("a", {1, 1});
    operations.add("b", {1, 2});
    operations.add("a", {1, 3});
    EXPECT_EQ(operations.find("a"), (Revision{1, 1}));
    EXPECT_EQ(operations.find("b"), (Revision{1, 2}));
    EXPECT_FALSE(operations.find("c"));
    EXPECT_EQ(operations.size(), 2U);
}

TEST(Operations, AreForgottenAtBothEnds) {
    Operations operations;
    for (std::uint64_t seq = 1; seq <= 9; ++seq) operations.add(std::to_string(seq), {1, seq});
    EXPECT_EQ(operations.count_until(0), 0U);
    EXPECT_EQ(operations.count_until(4), 4U);
    EXPECT_EQ(operations.count_until(100), 9U);
    operations.forget_first(2);
    operations.forget_after(6);
    EXPECT_FALSE(operations.find("2"));
    EXPECT_TRUE(operations.find("3"));
    EXPECT_TRUE(operations.find("6"));
    EXPECT_FALSE(operations.find("7"));
    operations.clear();
    EXPECT_FALSE(operations.find("3"));
    operations.add("3", {2, 1});
    EXPECT_EQ(operations.find("3"), (Revision{2, 1}));
}

/// Beside a map, which is right and slow. Few ids, so that they meet in the table, come twice, and
/// come back after they were forgotten.
TEST(Operations, KnowWhatAMapKnowsAfterAnyChanges) {
    std::mt19937 random{7};
    Operations operations;
    std::map<std::string, Revision> known;
    std::uint64_t seq = 0;
    for (int step = 0; step < 20'000; ++step) {
        const auto choice = random() % 100;
        if (choice < 80) {
            const auto id = std::to_string(random() % 400);
            operations.add(id, {1, ++seq});
            known.emplace(id, Revision{1, seq});
        } else if (choice < 90) {
            const auto count = random() % (operations.size() / 4 + 1);
            for (std::size_t i = 0; i < count; ++i) known.erase(operations.list()[i].id);
            operations.forget_first(count);
        } else {
            const auto after = seq - std::min<std::uint64_t>(seq, random() % 20);
            std::erase_if(known, [&](const auto& one) { return one.second.seq > after; });
            operations.forget_after(after);
            seq = after;
        }
        ASSERT_EQ(operations.size(), known.size());
        const auto asked = std::to_string(random() % 400);
        const auto found = known.find(asked);
        ASSERT_EQ(operations.find(asked),
                  found == known.end() ? std::nullopt : std::optional{found->second})
            << "step " << step;
    }
    for (const auto& [id, revision] : known) EXPECT_EQ(operations.find(id), revision);
}

}  // namespace
}  // namespace umbra::core
