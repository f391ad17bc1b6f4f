#include <umbra/core/state.hpp>

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace umbra::core {
namespace {

std::string readme() {
    std::ifstream file(UMBRA_CORE_README);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(StateTest, TheReadmeStatesEveryTransitionAndNoOther) {
    const std::string page = readme();
    ASSERT_FALSE(page.empty()) << UMBRA_CORE_README;
    for (const auto& one : transitions()) {
        const std::string row = "| `" + std::string{to_string(one.from)} + "` | `" +
                                to_string(one.to) + "` | " + one.when + " |\n";
        EXPECT_NE(page.find(row), std::string::npos) << "missing: " << row;
    }
    std::size_t rows = 0;
    for (auto at = page.find("\n| `"); at != std::string::npos; at = page.find("\n| `", at + 1)) {
        const auto second = page.find("` | `", at + 1);
        rows += second != std::string::npos && second < page.find('\n', at + 1) ? 1 : 0;
    }
    EXPECT_EQ(rows, transitions().size());
}

TEST(StateTest, NoTransitionIsStatedTwiceOrLeadsNowhere) {
    std::set<std::pair<State, State>> seen;
    for (const auto& one : transitions()) {
        EXPECT_NE(one.from, one.to);
        EXPECT_TRUE(seen.emplace(one.from, one.to).second)
            << to_string(one.from) << " -> " << to_string(one.to);
        EXPECT_TRUE(is_transition(one.from, one.to));
    }
    EXPECT_FALSE(is_transition(State::initial, State::active));
    EXPECT_FALSE(is_transition(State::fenced, State::active)) << "only through a claim";
}

TEST(StateTest, EveryStateCanBeReachedAndLeft) {
    std::set<State> left, reached{State::starting, State::initial};
    for (const auto& one : transitions()) {
        left.insert(one.from);
        reached.insert(one.to);
    }
    EXPECT_EQ(left, reached);
    EXPECT_EQ(left.size(), 12u);
}

}  // namespace
}  // namespace umbra::core
