// How often work is done that is asked for very often.

#include "paced.hpp"

#include "loop.hpp"

#include <gmock/gmock.h>

#include <chrono>

namespace umbra::instance {
namespace {

using namespace std::chrono_literals;

struct Work {
    Loop loop;
    int runs = 0;
    Duration takes{};
    Paced paced{loop, [this] {
                    ++runs;
                    const Instant until = loop.now() + takes;
                    while (loop.now() < until) {
                    }
                }};
};

TEST(Paced, TheFirstAskIsMetAtOnce) {
    Work work;
    work.paced.ask();
    EXPECT_EQ(work.runs, 1);
    EXPECT_FALSE(work.paced.due());
}

TEST(Paced, AsksDuringThePauseBecomeOneRunAfterIt) {
    Work work;
    work.takes = 20ms;
    work.paced.ask();
    const Instant ended = work.loop.now();
    for (int i = 0; i < 100; ++i) work.paced.ask();
    EXPECT_EQ(work.runs, 1);
    EXPECT_TRUE(work.paced.due());
    work.loop.run_until([&] { return work.runs == 2; });
    EXPECT_GE(work.loop.now() - ended, Paced::pause_factor * work.takes);
    EXPECT_FALSE(work.paced.due());
}

TEST(Paced, NowDoesNotWaitAndSettlesWhatIsDue) {
    Work work;
    work.takes = 20ms;
    work.paced.ask();
    work.paced.ask();
    work.paced.now();
    EXPECT_EQ(work.runs, 2);
    EXPECT_FALSE(work.paced.due());
    bool later = false;
    work.loop.schedule(work.loop.now() + 3 * work.takes, [&] { later = true; });
    work.loop.run_until([&] { return later; });
    EXPECT_EQ(work.runs, 2);
}

TEST(Paced, ThePauseHasALimit) {
    Work work;
    work.takes = Paced::pause_max;
    work.paced.ask();
    const Instant ended = work.loop.now();
    work.takes = {};
    work.paced.ask();
    bool after = false;
    work.loop.schedule(ended + Paced::pause_max, [&] { after = true; });
    work.loop.run_until([&] { return after; });
    work.loop.run_until([&] { return work.runs == 2; });
    EXPECT_LT(work.loop.now() - ended, Paced::pause_factor * Paced::pause_max);
}

}  // namespace
}  // namespace umbra::instance
