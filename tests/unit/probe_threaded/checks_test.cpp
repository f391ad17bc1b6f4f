#include "integration/plugin/driver.hpp"
#include <umbra/threaded/checks.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

namespace umbra::threaded {
namespace {

using namespace std::chrono_literals;
using plugin_test::Pending;

Pending<ProbeResult> question() {
    return Pending<ProbeResult>{[](const void* result) {
        return detail::decode(*static_cast<const umbra_probe_result*>(result));
    }};
}

/// Work that the test ends by hand.
struct Handmade final : Work {
    explicit Handmade(int& told) : canceled(told) {}
    void cancel() override { ++canceled; }
    std::string missed(const std::string& within) const override { return "nothing in " + within; }

    int& canceled;
};

struct ChecksTest : testing::Test {
    Checks::Begin begin = [this](const std::shared_ptr<Check>& check) {
        begun.push_back(check);
        return Result<std::unique_ptr<Work>>(std::make_unique<Handmade>(canceled));
    };

    boost::asio::io_context io;
    std::vector<std::shared_ptr<Check>> begun;
    int canceled = 0;
};

TEST_F(ChecksTest, ThePlaceIsFreeWhenTheAnswerIsThere) {
    Checks checks{io, 1, 1h};
    const auto first = question(), second = question(), third = question();
    checks.start(Reply<ProbeResult>{first.op()}, begin);
    checks.start(Reply<ProbeResult>{second.op()}, begin);
    ASSERT_TRUE(second.ready());
    EXPECT_EQ(second.get().error().code, Errc::exhausted);
    begun.at(0)->finish({Health::healthy, 1ms, "fine"});
    ASSERT_TRUE(first.ready());
    EXPECT_EQ(first.get()->detail, "fine");
    checks.start(Reply<ProbeResult>{third.op()}, begin);
    EXPECT_EQ(begun.size(), 2u);
    EXPECT_EQ(canceled, 0);
}

TEST_F(ChecksTest, WorkThatIsLateIsAnsweredOnceAndKeepsItsPlaceUntilItEnds) {
    Checks checks{io, 1, 1ms};
    const auto first = question(), second = question();
    checks.start(Reply<ProbeResult>{first.op()}, begin);
    io.run();
    ASSERT_TRUE(first.ready());
    EXPECT_EQ(first.get()->health, Health::down);
    EXPECT_EQ(first.get()->detail, "nothing in 1ms");
    EXPECT_EQ(canceled, 1);
    checks.start(Reply<ProbeResult>{second.op()}, begin);
    EXPECT_EQ(second.get().error().code, Errc::exhausted);
    begun.at(0)->finish({Health::healthy, 1ms, "too late"});
    const auto third = question();
    checks.start(Reply<ProbeResult>{third.op()}, begin);
    EXPECT_EQ(begun.size(), 2u);
}

TEST_F(ChecksTest, WorkThatCannotBeginTakesNoPlace) {
    Checks checks{io, 1, 1h};
    const auto first = question(), second = question();
    checks.start(Reply<ProbeResult>{first.op()}, [](const auto&) {
        return Result<std::unique_ptr<Work>>(Error{Errc::invalid, "no such program"});
    });
    EXPECT_EQ(first.get().error().message, "no such program");
    checks.start(Reply<ProbeResult>{second.op()}, begin);
    EXPECT_EQ(begun.size(), 1u);
}

TEST_F(ChecksTest, AStopAnswersAtOnceAndIsOverWithTheLastWork) {
    Checks checks{io, 8, 1h};
    const auto first = question(), second = question();
    checks.start(Reply<ProbeResult>{first.op()}, begin);
    checks.start(Reply<ProbeResult>{second.op()}, begin);
    bool over = false;
    checks.stop([&] { over = true; });
    EXPECT_EQ(first.get().error().code, Errc::closed);
    EXPECT_EQ(second.get().error().code, Errc::closed);
    EXPECT_EQ(canceled, 2);
    EXPECT_FALSE(over);
    begun.at(0)->finish({});
    EXPECT_FALSE(over);
    begun.at(1)->finish({});
    EXPECT_TRUE(over);
}

TEST_F(ChecksTest, NothingUnderWayIsStoppedAtOnce) {
    Checks checks{io, 8, 1h};
    bool over = false;
    checks.stop([&] { over = true; });
    EXPECT_TRUE(over);
}

}  // namespace
}  // namespace umbra::threaded
