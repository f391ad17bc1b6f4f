#include "integration/host/support.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbra::host::test {
namespace {

using ::testing::HasSubstr;

/// Every refusal is checked whole: file, cause, remedy.
class GatesTest : public ::testing::Test {
protected:
    GatesTest() { ::setenv("UMBRA_TEST_MARK", mark.c_str(), 1); }
    ~GatesTest() override { ::unsetenv("UMBRA_TEST_MARK"); }

    /// The refusal of a bent plugin, without "<path>: ".
    std::string refusal(const std::string& variant, std::optional<umbra_kind> wanted = {}) {
        return refusal_of(install(directory, variant), wanted);
    }
    static std::string refusal_of(const fs::path& path, std::optional<umbra_kind> wanted = {}) {
        const auto loaded = load_plugin(path, wanted);
        if (loaded) return "loaded";
        const std::string prefix = path.string() + ": ";
        const std::string text = loaded.error().message;
        EXPECT_EQ(text.substr(0, prefix.size()), prefix);
        EXPECT_EQ(text.find('\n'), std::string::npos);
        return text.substr(std::min(prefix.size(), text.size()));
    }
    [[nodiscard]] bool ran() const { return fs::exists(mark); }

    TempDirectory directory;
    const fs::path mark = directory / "constructor-ran";
};

TEST_F(GatesTest, GoodPluginIsLoadedAndItsEntryIsUsable) {
    const auto loaded = load_plugin(install(directory, "good"));
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->identity.name, "bare");
    EXPECT_EQ(loaded->identity.version, "2.1.0");
    EXPECT_STREQ(loaded->plugin->summary, "A probe in C.");
    EXPECT_TRUE(ran()) << "the mark that the other tests rely on";
}

TEST_F(GatesTest, SameFileTwiceIsTheSamePlugin) {
    const auto path = install(directory, "good");
    const auto first = load_plugin(path), second = load_plugin(path);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(first->plugin, second->plugin);
}

TEST_F(GatesTest, ReplacedFileIsTheNewPluginNotTheOldOne) {
    const auto path = install(directory, "good");
    const auto before = load_plugin(path);
    ASSERT_TRUE(before.ok());
    fs::rename(directory.write("new", read_all(built("no_check"))), path);
    const auto after = load_plugin(path);
    ASSERT_TRUE(after.ok());
    EXPECT_NE(before->plugin, after->plugin);
}

TEST_F(GatesTest, OtherAbiIsRefusedBeforeAnythingRan) {
    EXPECT_EQ(refusal("other_abi"),
              "plugin ABI 0.2 (SDK 0.1.0), this host speaks 0.1; rebuild it with the SDK of this "
              "host, nothing in it was executed");
    EXPECT_FALSE(ran());
}

TEST_F(GatesTest, OtherKindThanNeededIsRefusedBeforeAnythingRan) {
    EXPECT_EQ(refusal("good", UMBRA_KIND_TUNNEL),
              "is a probe plugin where a tunnel plugin is needed; name one of that kind");
    EXPECT_FALSE(ran());
}

TEST_F(GatesTest, FileNameThatSaysSomethingElseIsRefused) {
    EXPECT_EQ(refusal("other_kind"),
              "is the tunnel plugin \"bare\", which its name does not say; rename it to "
              "umbra-tunnel-bare.so");
    EXPECT_FALSE(ran());
}

TEST_F(GatesTest, UnknownKindIsRefused) {
    EXPECT_EQ(refusal("unknown_kind"),
              "is a plugin of kind 77, which this host does not know; install a newer umbra");
}

TEST_F(GatesTest, NameThatCouldBeAPathIsRefused) {
    EXPECT_EQ(refusal("odd_name"),
              "has the plugin name \"../x\"; a name has lower-case letters, digits, '-' and '_' "
              "only");
}

TEST_F(GatesTest, FileWithoutANoteIsNoPlugin) {
    EXPECT_EQ(refusal("no_note"),
              "has no plugin note, so it is no plugin; build it with umbra_add_plugin() and one "
              "UMBRA_PLUGIN()");
    EXPECT_FALSE(ran());
}

TEST_F(GatesTest, MissingEntrySymbolIsNamed) {
    EXPECT_EQ(refusal("no_entry"),
              "does not export umbra_plugin_entry; build it with umbra_add_plugin() and one "
              "UMBRA_PLUGIN()");
}

TEST_F(GatesTest, NullEntryIsRefused) {
    EXPECT_EQ(refusal("null_entry"), "has a null umbra_plugin_entry; rebuild the plugin");
}

TEST_F(GatesTest, EntryThatLeadsNowhereIsRefusedAndNotFollowed) {
    EXPECT_EQ(refusal("wild_entry"),
              "its umbra_plugin_entry leads to no entry; the file is damaged or was not made by "
              "UMBRA_PLUGIN(), rebuild it");
}

TEST_F(GatesTest, EntryThatDisagreesWithTheNoteIsRefused) {
    EXPECT_EQ(refusal("other_name"),
              "its entry and its note disagree about the name; the file is damaged or was not made "
              "by UMBRA_PLUGIN(), rebuild it");
}

TEST_F(GatesTest, PluginWithoutAStopFunctionIsRefused) {
    EXPECT_EQ(refusal("no_stop"), "has no stop function; fill in the table and rebuild the plugin");
}

TEST_F(GatesTest, UndefinedSymbolIsNamedAsInTheSource) {
    EXPECT_EQ(refusal("undefined"),
              "uses the undefined symbol zlibs::missing(int); link the library that has it, "
              "umbra_add_plugin() finds that when it links");
}

TEST_F(GatesTest, MissingLibraryIsNamed) {
    EXPECT_EQ(refusal("needs"),
              "needs the library libumbra_test_gone.so, which is not installed; install the "
              "package that has it");
}

TEST_F(GatesTest, OtherArchitectureIsNamed) {
    std::string bytes = read_all(built("good"));
    const Elf64_Half machine =
        EM_AARCH64 == 183 && bytes[18] != static_cast<char>(183) ? EM_AARCH64 : EM_X86_64;
    std::memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof machine);
    EXPECT_THAT(refusal_of(directory.write("umbra-probe-bare.so", bytes)),
                ::testing::MatchesRegex("is built for [a-z0-9-]+, this host is ([a-z0-9-]+); build "
                                        "the plugin for ([a-z0-9-]+)"));
    EXPECT_FALSE(ran());
}

TEST_F(GatesTest, ThirtyTwoBitFileIsRefused) {
    std::string bytes = read_all(built("good"));
    bytes[EI_CLASS] = ELFCLASS32;
    EXPECT_THAT(refusal_of(directory.write("umbra-probe-bare.so", bytes)),
                HasSubstr("is not a 64-bit ELF file, this host is 64-bit "));
}

TEST_F(GatesTest, ProgramIsNotASharedObject) {
    std::string bytes = read_all(built("good"));
    bytes[offsetof(Elf64_Ehdr, e_type)] = ET_EXEC;
    EXPECT_EQ(refusal_of(directory.write("umbra-probe-bare.so", bytes)),
              "is not a shared object (ELF type 2); build the plugin with umbra_add_plugin()");
}

TEST_F(GatesTest, CutOffFileIsRefusedAtEveryLength) {
    const std::string whole = read_all(built("good"));
    const fs::path path = directory / "umbra-probe-bare.so";
    for (std::size_t length = 4; length < whole.size(); length += 1 + length / 16) {
        SCOPED_TRACE(length);
        (void)directory.write(path.filename(), whole.substr(0, length));
        const std::string text = refusal_of(path);
        EXPECT_THAT(text,
                    HasSubstr("is cut off after " + std::to_string(length) + " bytes, in its "));
        EXPECT_THAT(text, HasSubstr("; copy the plugin again"));
    }
    (void)directory.write(path.filename(), whole.substr(0, whole.size() - 1));
    EXPECT_THAT(refusal_of(path), HasSubstr("is cut off"));
    EXPECT_FALSE(ran());
}

TEST_F(GatesTest, DamagedHeadersAndNotesAreRefusedAndSurvived) {
    const std::string whole = read_all(built("good"));
    const fs::path path = directory / "umbra-probe-bare.so";
    Elf64_Ehdr header;
    std::memcpy(&header, whole.data(), sizeof header);
    // Every byte of the ELF header and of the program headers, and of the note, once all ones.
    const auto note = whole.find(std::string("Umbra\0\0\0", 8)) - 12;
    const auto headers_end = header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr);
    int refused = 0;
    for (std::size_t at = 0; at < note + 12 + 8 + 80; ++at) {
        if (at == headers_end) at = note;
        std::string bytes = whole;
        bytes[at] = static_cast<char>(0xff);
        const auto file = PluginFile::open(directory.write(path.filename(), bytes));
        refused += !file || !file->read_identity() ? 1 : 0;
    }
    EXPECT_GT(refused, 100);
    EXPECT_FALSE(ran());
}

TEST_F(GatesTest, NothingIsLeftOpenAfterARefusal) {
    const auto count = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{});
    };
    const auto path = install(directory, "undefined");
    (void)refusal_of(path);
    const auto before = count();
    for (int i = 0; i < 5; ++i) (void)refusal_of(path);
    EXPECT_EQ(count(), before);
}

}  // namespace
}  // namespace umbra::host::test
