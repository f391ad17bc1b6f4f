// A register under test, with its disk and its clock.
#pragma once

#include <umbra/gateway/register.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace umbra::gateway {

using namespace std::chrono_literals;

inline BootId boot(std::uint8_t number) {
    BootId id{};
    id.fill(number);
    return id;
}

template <class T>
std::vector<T> all(const std::vector<Effect>& effects) {
    std::vector<T> found;
    for (const auto& one : effects)
        if (const auto* it = std::get_if<T>(&one)) found.push_back(*it);
    return found;
}

template <class T>
std::size_t place(const std::vector<Effect>& effects) {
    const auto at = std::ranges::find_if(
        effects, [](const Effect& one) { return std::holds_alternative<T>(one); });
    return static_cast<std::size_t>(at - effects.begin());
}

/// A register with a disk that stores at once, unless a test holds it back, and a clock that moves
/// when it is told to.
class RegisterTest : public testing::Test {
protected:
    Register make(Record record = {}, bool lost = false,
                  std::set<std::string> members = {"alpha", "beta"}) {
        return Register(settings, std::move(record), lost, std::move(members), now);
    }
    std::vector<Effect> tell(const Fact& fact) {
        auto effects = reg.step(now, fact);
        while (disk_works && !all<effect::Store>(effects).empty()) {
            disk.push_back(all<effect::Store>(effects).front().record);
            std::erase_if(effects, [](const Effect& one) {
                return std::holds_alternative<effect::Store>(one);
            });
            auto more = reg.step(now, fact::Stored{});
            effects.insert(effects.end(), more.begin(), more.end());
        }
        return effects;
    }
    std::vector<Effect> connect(const std::string& node, std::uint8_t process = 1, Epoch known = 0,
                                const std::string& incarnation = "disk") {
        return tell(fact::Connected{node, node + "-" + incarnation, boot(process), known});
    }
    std::vector<Effect> disconnect(const std::string& node, std::uint8_t process = 1) {
        return tell(fact::Disconnected{node, boot(process)});
    }
    effect::AnswerClaim claim(const std::string& node, Epoch epoch,
                              ClaimReason reason = ClaimReason::peer_silent) {
        last = tell(fact::Claimed{node, ++asks, epoch, reason});
        const auto answers = all<effect::AnswerClaim>(last);
        EXPECT_EQ(answers.size(), 1u);
        if (answers.empty()) return {};
        EXPECT_EQ(answers.front().ask, asks);
        EXPECT_EQ(answers.front().node, node);
        return answers.front();
    }
    effect::AnswerInSync in_sync(const std::string& node, Epoch epoch, std::uint64_t seq,
                                 std::set<Member> members) {
        last = tell(fact::InSyncAsked{node, ++asks, epoch, seq, std::move(members)});
        const auto answers = all<effect::AnswerInSync>(last);
        EXPECT_EQ(answers.size(), 1u);
        return answers.empty() ? effect::AnswerInSync{} : answers.front();
    }
    effect::AnswerConsent consent(const std::string& node, Epoch epoch,
                                  const std::string& successor) {
        const auto answers =
            all<effect::AnswerConsent>(tell(fact::Consented{node, ++asks, epoch, successor}));
        EXPECT_EQ(answers.size(), 1u);
        return answers.empty() ? effect::AnswerConsent{} : answers.front();
    }
    /// Lets time pass; `heard` nodes are alive all the while.
    std::vector<Effect> pass(Duration time, const std::set<std::string>& heard = {}) {
        now += time;
        std::vector<Effect> effects;
        for (const auto& node : heard) {
            auto more = tell(fact::Heard{node, now});
            effects.insert(effects.end(), more.begin(), more.end());
        }
        auto more = tell(fact::Ticked{});
        effects.insert(effects.end(), more.begin(), more.end());
        return effects;
    }
    /// alpha holds epoch 1, both are in sync and connected.
    void pair_runs() {
        connect("alpha");
        connect("beta");
        ASSERT_TRUE(claim("alpha", 1, ClaimReason::first).granted);
        ASSERT_TRUE(in_sync("alpha", 1, 1, {alpha, beta}).ok);
    }

    const Member alpha{"alpha", "alpha-disk"};
    const Member beta{"beta", "beta-disk"};
    Register::Settings settings;
    Instant now{1h};
    Register reg = make();
    bool disk_works = true;
    std::vector<Record> disk;
    std::uint64_t asks = 0;
    std::vector<Effect> last;
};

}  // namespace umbra::gateway
