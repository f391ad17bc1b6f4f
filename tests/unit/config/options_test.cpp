#include "sample_catalog.hpp"
#include <umbra/config/options.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace umbra::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string text(const umbra_str& s) { return {s.ptr, s.len}; }

struct ReadBack {
    OptionValues values;
    Problems problems;
};

/// `options` is the content of a file; missing options point at line 7.
ReadBack read(const umbra_plugin& plugin, const std::string& options) {
    ReadBack out;
    const Source source = Source::from_text(options, "a.toml", "/etc/umbra");
    const auto root = parse(source, out.problems);
    if (!root) return out;
    const OptionsPlace place{.table = &*root, .path = "probe.x.options", .at = {7, 1}};
    out.values = read_options(plugin, place, Origin{.source = &source}, out.problems);
    return out;
}

class OptionsTest : public testing::Test {
protected:
    const SampleCatalog catalog_;
    const umbra_plugin& all_ = *catalog_.find(UMBRA_KIND_PROBE, "all");
};

TEST_F(OptionsTest, DefaultsFillWhatIsNotGiven) {
    const ReadBack r = read(all_, "");
    ASSERT_THAT(told(r.problems), IsEmpty());
    ASSERT_EQ(r.values.size(), all_.option_count);
    const umbra_value* v = r.values.data();
    EXPECT_EQ(text(v[0].text), "plain");
    EXPECT_EQ(v[1].integer, 3);
    EXPECT_EQ(v[2].integer, 1);
    EXPECT_EQ(v[3].number, 0.5);
    EXPECT_EQ(v[4].integer, 2'000'000'000);
    EXPECT_EQ(v[5].integer, 65536);
    EXPECT_EQ(v[6].present, 0u);
    EXPECT_EQ(text(v[8].text), "connect");
    ASSERT_EQ(v[10].list_len, 2u);
    EXPECT_EQ(text(v[10].list[1]), "b");
    EXPECT_EQ(v[11].present, 1u);
    for (std::size_t i = 0; i < r.values.size(); ++i) EXPECT_EQ(v[i].type, all_.options[i].type);
}

TEST_F(OptionsTest, EveryTypeIsHandedOver) {
    const ReadBack r = read(all_, R"(
text = "t"
number = -5
flag = false
ratio = 1
wait = "10ms"
buffer = 1024
address = "[::1]:80"
file = "key.pem"
mode = "banner"
link = "tcp://a:1"
words = []
tls.enabled = true
)");
    ASSERT_THAT(told(r.problems), IsEmpty());
    const umbra_value* v = r.values.data();
    EXPECT_EQ(text(v[0].text), "t");
    EXPECT_EQ(v[1].integer, -5);
    EXPECT_EQ(v[2].integer, 0);
    EXPECT_EQ(v[3].number, 1.0);
    EXPECT_EQ(v[4].integer, 10'000'000);
    EXPECT_EQ(v[5].integer, 1024);
    EXPECT_EQ(text(v[6].text), "[::1]:80");
    EXPECT_EQ(text(v[7].text), "/etc/umbra/key.pem");
    EXPECT_EQ(text(v[8].text), "banner");
    EXPECT_EQ(text(v[9].text), "tcp://a:1");
    EXPECT_EQ(v[10].list_len, 0u);
    EXPECT_EQ(v[10].present, 1u);
    EXPECT_EQ(v[11].integer, 1);
}

TEST_F(OptionsTest, AllMistakesAreReportedAtTheirPlace) {
    const ReadBack r = read(all_, R"(number = 11
wait = "61s"
buffer = 1023
mode = "conect"
flags = true
tls = { enabeld = true }
words = ["a", 2]
)");
    EXPECT_THAT(
        told(r.problems),
        ElementsAre(
            "a.toml:1:10: error: \"number\" must be an integer from -5 to 10, found the integer 11",
            "a.toml:2:8: error: \"wait\" must be a duration such as \"150ms\" or \"2s\" from "
            "\"10ms\" to \"60s\", found the string \"61s\"",
            "a.toml:3:10: error: \"buffer\" must be a size such as 4096 or \"64KiB\" from 1024 to "
            "\"1MiB\", found the integer 1023",
            "a.toml:4:8: error: \"mode\" must be one of \"connect\", \"banner\", found the string "
            "\"conect\"",
            "a.toml:5:1: error: unknown key \"flags\" in [probe.x.options] (options of probe "
            "plugin \"all\")",
            "a.toml:6:9: error: unknown key \"enabeld\" in [probe.x.options.tls] (options of probe "
            "plugin \"all\")",
            "a.toml:7:15: error: \"words\" must be a list of strings, found the integer 2"));
    EXPECT_EQ(r.problems.list()[4].help, "did you mean \"flag\"?");
}

TEST_F(OptionsTest, AMissingRequiredOptionPointsAtTheTable) {
    const ReadBack r = read(*catalog_.find(UMBRA_KIND_PROBE, "tcp"), "");
    EXPECT_THAT(told(r.problems),
                ElementsAre("a.toml:1:1: error: [probe.x.options] needs the key \"address\", an "
                            "endpoint \"host:port\" (options of probe plugin \"tcp\")"));
    Problems problems;
    const Source source = Source::from_text("", "a.toml");
    const OptionsPlace place{.table = nullptr, .path = "probe.x.options", .at = {7, 1}};
    (void)read_options(*catalog_.find(UMBRA_KIND_PROBE, "tcp"), place, Origin{.source = &source},
                       problems);
    EXPECT_EQ(problems.list().at(0).at, (Position{7, 1}));
}

TEST_F(OptionsTest, DottedRequiredOptionsAreAskedForWithoutTheirTable) {
    const std::array<umbra_option, 1> options{
        option("tls.key", UMBRA_OPT_PATH, nullptr, UMBRA_OPT_REQUIRED)};
    const umbra_plugin p = plugin(UMBRA_KIND_PROBE, "x", options.data(), options.size());
    EXPECT_THAT(told(read(p, "").problems),
                ElementsAre(HasSubstr("[probe.x.options.tls] needs the key \"key\"")));
}

TEST_F(OptionsTest, APluginWithoutOptionsTakesNone) {
    const umbra_plugin p = plugin(UMBRA_KIND_STORAGE, "bare", nullptr, 0);
    EXPECT_THAT(told(read(p, "").problems), IsEmpty());
    const ReadBack r = read(p, "x = 1");
    EXPECT_THAT(told(r.problems), ElementsAre(HasSubstr("unknown key \"x\"")));
    EXPECT_EQ(r.problems.list()[0].help, "nothing can be set here");
}

TEST_F(OptionsTest, ABrokenTableIsTheFaultOfThePlugin) {
    umbra_option bad_range = option("n", UMBRA_OPT_INTEGER, "9");
    bad_range.max = "8";
    umbra_option bad_limit = option("m", UMBRA_OPT_INTEGER);
    bad_limit.min = "\"x\"";
    const std::array<umbra_option, 8> options{bad_range,
                                              bad_limit,
                                              option("k", 99),
                                              option("e", UMBRA_OPT_ENUM),
                                              option("d", UMBRA_OPT_DURATION, "2s"),
                                              option("twice", UMBRA_OPT_STRING),
                                              option("twice", UMBRA_OPT_STRING),
                                              option("twice.below", UMBRA_OPT_STRING)};
    const umbra_plugin p = plugin(UMBRA_KIND_PROBE, "x", options.data(), options.size());
    std::vector<std::string> found;
    (void)option_keys(p, found);
    EXPECT_THAT(found, ElementsAre(HasSubstr("option \"n\": default 9 must be an integer"),
                                   HasSubstr("option \"m\": minimum \"x\" must be"),
                                   HasSubstr("option \"k\": unknown type 99"),
                                   HasSubstr("option \"e\": no choices"),
                                   HasSubstr("option \"d\": default 2s is not a TOML literal"),
                                   HasSubstr("option \"twice\" is declared twice"),
                                   HasSubstr("option \"twice.below\" is declared twice")));
    EXPECT_THAT(told(read(p, "").problems),
                testing::Each(HasSubstr("probe plugin \"x\" declares its options wrongly")));
}

TEST_F(OptionsTest, EntriesOfANewerInterfaceAreSteppedOver) {
    struct Wider {
        umbra_option option;
        std::uint64_t future;
    };
    std::array<Wider, 2> options{Wider{option("a", UMBRA_OPT_INTEGER, "1"), 7},
                                 Wider{option("b", UMBRA_OPT_INTEGER, "2"), 7}};
    for (Wider& o : options) o.option.struct_size = sizeof(Wider);
    const ReadBack r = read(plugin(UMBRA_KIND_PROBE, "x", &options[0].option, 2), "b = 5");
    ASSERT_THAT(told(r.problems), IsEmpty());
    EXPECT_EQ(r.values.data()[0].integer, 1);
    EXPECT_EQ(r.values.data()[1].integer, 5);

    options[0].option.struct_size = sizeof(umbra_option) - 1;
    EXPECT_FALSE(read(plugin(UMBRA_KIND_PROBE, "x", &options[0].option, 2), "").problems.empty());
}

TEST_F(OptionsTest, EqualValuesAreEqualHoweverTheyWereWritten) {
    EXPECT_EQ(read(all_, "wait = \"2s\"").values, read(all_, "wait = \"2000ms\"").values);
    EXPECT_EQ(read(all_, "").values, read(all_, "number = 3").values);
    EXPECT_FALSE(read(all_, "number = 4").values == read(all_, "number = 3").values);
    EXPECT_FALSE(read(all_, "words = [\"a,b\"]").values ==
                 read(all_, "words = [\"a\", \"b\"]").values);
    EXPECT_EQ(OptionValues().size(), 0u);
    EXPECT_EQ(OptionValues().data(), nullptr);
}

TEST_F(OptionsTest, ValuesOutliveWhatTheyWereReadFrom) {
    OptionValues copy;
    {
        const ReadBack r = read(all_, "text = \"a text that is too long to be kept in place\"");
        copy = r.values;
    }
    EXPECT_EQ(text(copy.data()[0].text), "a text that is too long to be kept in place");
}

TEST_F(OptionsTest, SecretsAreNeverShown) {
    const umbra_plugin& gateway = *catalog_.find(UMBRA_KIND_TUNNEL, "gateway");
    const ReadBack r = read(gateway, "address = \"a:1\"\npin = [\"hunter2\"]\n");
    EXPECT_THAT(r.problems.render(), HasSubstr("2:7: error: \"pin\" must be a string"));
    EXPECT_THAT(r.problems.render(), Not(HasSubstr("hunter2")));
}

TEST_F(OptionsTest, TheSampleIsTomlThatTheTableAccepts) {
    EXPECT_THAT(sample_options(all_), HasSubstr("# For the tests.\n# an integer from -5 to 10\n"
                                                "# number = 3\n"));
    EXPECT_THAT(told(read(all_, sample_options(all_)).problems), IsEmpty());
}

}  // namespace
}  // namespace umbra::config
