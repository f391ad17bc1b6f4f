#include "journal.hpp"

#include "unit/base/temp_directory.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace umbra::instance {
namespace {

using Kind = core::effect::Explain::Kind;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class JournalTest : public testing::Test {
protected:
    /// Of one life of an instance; its file is complete when the life is over.
    template <class Use>
    void live(Use use) {
        Worker worker;
        Journal journal(dir.path(), worker);
        use(journal);
    }
    [[nodiscard]] std::filesystem::path file() const { return dir.path() / "decisions.jsonl"; }

    test::TempDirectory dir;
};

TEST_F(JournalTest, TheNewestComeFirstAndOutliveTheProcess) {
    live([](Journal& journal) {
        EXPECT_THAT(journal.newest(10), IsEmpty());
        journal.add(3, {Kind::changed, "master of epoch 3"});
        journal.add(3, {Kind::noted, "a \"note\"\nof two lines"});
    });
    live([](Journal& journal) {
        const auto newest = journal.newest(10);
        ASSERT_THAT(newest, SizeIs(2));
        EXPECT_EQ(newest[0].kind, "noted");
        EXPECT_EQ(newest[0].text, "a \"note\"\nof two lines");
        EXPECT_EQ(newest[1].epoch, 3u);
        EXPECT_THAT(journal.newest(1), SizeIs(1));
        EXPECT_THAT(journal.last_change(), HasSubstr("Z master of epoch 3"));
    });
}

TEST_F(JournalTest, ALineThatACrashCutShortCostsOnlyItself) {
    live([](Journal& journal) { journal.add(1, {Kind::changed, "first"}); });
    std::ofstream(file(), std::ios::app) << R"({"time":"2026-01-01T00:00:00Z","ki)";
    live([](Journal& journal) {
        EXPECT_THAT(journal.newest(10), SizeIs(1));
        journal.add(2, {Kind::changed, "second"});
        journal.add(2, {Kind::changed, "third"});
    });
    live([](Journal& journal) { EXPECT_EQ(journal.newest(1).at(0).text, "third"); });
}

TEST_F(JournalTest, WhatIsKeptIsBounded) {
    live([](Journal& journal) {
        for (std::size_t i = 0; i <= Journal::kept; ++i) {
            journal.add(i, {Kind::noted, std::string(2000, 'x')});
        }
        EXPECT_THAT(journal.newest(2 * Journal::kept), SizeIs(Journal::kept));
    });
    EXPECT_LT(std::filesystem::file_size(file()), 3 * Journal::file_bytes_max);
    live([](Journal& journal) { EXPECT_EQ(journal.newest(1).at(0).epoch, Journal::kept); });
}

TEST_F(JournalTest, AFileThatCannotBeReadDoesNotStopAnybody) {
    std::filesystem::create_directory(file());
    live([](Journal& journal) {
        journal.add(1, {Kind::changed, "in memory only"});
        EXPECT_THAT(journal.newest(10), SizeIs(1));
    });
}

}  // namespace
}  // namespace umbra::instance
