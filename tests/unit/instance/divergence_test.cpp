// Files under divergence/: written before anything is cut, read again after a restart.

#include "divergence.hpp"

#include "simulation/hash.hpp"
#include "unit/base/temp_directory.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <sys/stat.h>

namespace umbra::instance {
namespace {

using core::Fate;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using State = StoredDivergence::State;

class DivergenceFilesTest : public ::testing::Test {
protected:
    DivergenceFilesTest() {
        add(log, {{"a", "\"1\""}, {"b", "1"}});
        fork = log.last();
        base = log.document();
    }
    static const core::Logged& add(core::Log& to, std::vector<core::Change> changes) {
        core::Entry entry;
        entry.op_id = "op-" + std::to_string(to.last().revision.seq + 1);
        entry.author = "ann \"a\"";
        entry.message = "why\n";
        entry.time_ms = 1'767'225'600'000;
        entry.changes = std::move(changes);
        return to.append(1, std::move(entry));
    }
    /// Two edits that the other side does not have. @return The id.
    std::string save(const std::string& value = "\"2\"") {
        core::Log mine = log;
        add(mine, {{"a", value}});
        add(mine, {{"b", std::nullopt}, {"c", "[1, 2]"}});
        const auto document = mine.document();
        saved = mine.truncate(fork.revision.seq);
        edits = core::summarize(fork, true, base, document, saved);
        const auto done = files.save(edits, saved);
        EXPECT_TRUE(done.ok());
        return edits.id;
    }
    std::filesystem::path path(const std::string& id) {
        return dir / "divergence" / (id + ".json");
    }

    test::TempDirectory dir;
    DivergenceFiles files{dir / "divergence", "alpha"};
    core::Log log{&simulation::quick_hash};
    core::Position fork;
    core::Document base;
    std::vector<core::Logged> saved;
    core::SavedEdits edits;
};

TEST_F(DivergenceFilesTest, EverythingComesBackAsItWasSaved) {
    const auto id = save();
    const auto read = files.read(id);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->edits, edits);
    EXPECT_EQ(read->node, "alpha");
    EXPECT_EQ(read->state, State::saved);
    EXPECT_THAT(read->fates, IsEmpty());
    ASSERT_EQ(read->entries.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
        auto entry = *core::decode_entry(saved[i].body);
        entry.previous = {};  // The chain is cut; the last position is kept with the edits.
        EXPECT_EQ(read->entries[i], entry);
    }
    struct stat info {};
    ASSERT_EQ(::stat(path(id).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(DivergenceFilesTest, WhatCameOfItIsKeptBesideIt) {
    const auto id = save();
    ASSERT_TRUE(
        files.settle({id, {Fate::conflict, Fate::merged, Fate::merged}, {2, 5}, false, false})
            .ok());
    auto read = files.read(id);
    EXPECT_EQ(read->state, State::conflicts);
    EXPECT_TRUE(read->open());
    EXPECT_EQ(read->merged_as, (core::Revision{2, 5}));
    ASSERT_TRUE(
        files.settle({id, {Fate::merged, Fate::merged, Fate::merged}, {2, 6}, true, true}).ok());
    read = files.read(id);
    EXPECT_EQ(read->state, State::merged);
    EXPECT_FALSE(read->open());
    EXPECT_EQ(read->edits, edits);
    EXPECT_EQ(files.drop(id).error().code, Errc::conflict) << "it is resolved";
}

TEST_F(DivergenceFilesTest, DroppedStaysListed) {
    const auto id = save();
    ASSERT_TRUE(files.drop(id).ok());
    EXPECT_EQ(files.read(id)->state, State::dropped);
    EXPECT_THAT(files.drop(id).error().message, HasSubstr("dropped already"));
    EXPECT_EQ(files.drop("1.7-00000000").error().code, Errc::invalid);
}

TEST_F(DivergenceFilesTest, TheSameCutAgainIsTheSameFile) {
    const auto id = save();
    EXPECT_EQ(save(), id);
    EXPECT_NE(save("\"3\""), id);
    EXPECT_THAT(files.list(), SizeIs(2));
}

TEST_F(DivergenceFilesTest, NoIdLeadsOutOfTheDirectory) {
    std::ofstream{dir / "other.json"} << "{}";
    save();
    for (const char* id : {"../other", "", ".", "..", "1.2/3", "A", "1.2-ab\n"}) {
        EXPECT_EQ(files.read(id).error().code, Errc::invalid) << id;
    }
    EXPECT_EQ(files.read(std::string(129, '1')).error().code, Errc::invalid);
}

TEST_F(DivergenceFilesTest, EveryTruncationIsDamageAndTheOthersAreListed) {
    const auto id = save();
    const auto other = save("\"3\"");
    std::ifstream in{path(id)};
    const std::string whole{std::istreambuf_iterator<char>{in}, {}};
    for (std::size_t size = 0; size + 2 < whole.size(); size += 7) {
        std::ofstream{path(id), std::ios::trunc} << whole.substr(0, size);
        EXPECT_EQ(files.read(id).error().code, Errc::data_loss) << size;
    }
    ASSERT_THAT(files.list(), SizeIs(1));
    EXPECT_EQ(files.list()[0].edits.id, other);
    EXPECT_THAT(files.damaged(), testing::ElementsAre(id));
    // A file of another version, or under another name, is not taken for one of ours.
    std::string later = whole;
    later.replace(later.find("\"format\":1"), 10, "\"format\":2");
    std::ofstream{path(id), std::ios::trunc} << later;
    EXPECT_EQ(files.read(id).error().code, Errc::data_loss);
    std::ofstream{path(other), std::ios::trunc} << whole;
    EXPECT_EQ(files.read(other).error().code, Errc::data_loss);
}

TEST_F(DivergenceFilesTest, AFlippedBitInAValueIsDamage) {
    const auto id = save("\"right\"");
    std::ifstream in{path(id)};
    const std::string whole{std::istreambuf_iterator<char>{in}, {}};
    std::string other = whole;
    other.replace(other.find("right"), 5, "sight");
    std::ofstream{path(id), std::ios::trunc} << other;
    EXPECT_EQ(files.read(id).error().code, Errc::data_loss);
    // As before there was a sum, or after somebody mended it.
    const auto sum = other.rfind(",\"sha256\"");
    std::ofstream{path(id), std::ios::trunc} << other.substr(0, sum) << "}\n";
    ASSERT_TRUE(files.read(id).ok());
    EXPECT_EQ(files.read(id)->entries[0].changes[0].literal, "\"sight\"");
    EXPECT_THAT(files.damaged(), IsEmpty());
    std::ofstream{dir / "divergence" / "NOTES.json"} << "mine";
    EXPECT_THAT(files.damaged(), IsEmpty()) << "that is none of ours";
}

TEST_F(DivergenceFilesTest, ResolvedOnesAreForgottenInTheEndOpenOnesNever) {
    const auto open = save("\"open\"");
    for (std::size_t i = 0; i <= DivergenceFiles::resolved_kept_max; ++i) {
        ASSERT_TRUE(files.drop(save(std::to_string(i))).ok());
    }
    EXPECT_THAT(files.list(), SizeIs(DivergenceFiles::resolved_kept_max + 2));
    save("\"one more\"");
    EXPECT_THAT(files.list(), SizeIs(DivergenceFiles::resolved_kept_max + 2));
    EXPECT_TRUE(files.read(open).ok());
}

TEST_F(DivergenceFilesTest, TheTableShowsAllThreeSides) {
    const auto id = save();
    core::Log master = log;
    add(master, {{"a", "\"9\""}});            // 1.2
    add(master, {{"c", "[1, 2]"}});           // 1.3, the merge
    add(master, {{"c", "[3]"}, {"b", "7"}});  // 1.4
    ASSERT_TRUE(
        files.settle({id, {Fate::conflict, Fate::conflict, Fate::merged}, {1, 3}, false, false})
            .ok());
    const auto view = view_of(*files.read(id), master);
    EXPECT_EQ(view.state, "conflicts");
    EXPECT_EQ(view.fork, "1.1");
    EXPECT_EQ(view.merged_as, "1.3");
    EXPECT_EQ(view.conflicts, 2u);
    ASSERT_EQ(view.keys.size(), 3u);
    EXPECT_EQ(view.keys[0].base, "\"1\"");
    EXPECT_EQ(view.keys[0].master, "\"9\"") << "what it has now";
    EXPECT_EQ(view.keys[0].saved, "\"2\"");
    EXPECT_EQ(view.keys[1].saved, std::nullopt);
    EXPECT_EQ(view.keys[2].master, std::nullopt) << "what it had before the merge";
    EXPECT_EQ(view.keys[2].fate, "merged");
    ASSERT_EQ(view.edits.size(), 2u);
    EXPECT_EQ(view.edits[0].time, "2026-01-01T00:00:00Z");
}

}  // namespace
}  // namespace umbra::instance
