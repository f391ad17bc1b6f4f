#include "sample_catalog.hpp"
#include <umbra/config/schema.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Every type once, a sub-table, and tables with names of the user's.
Table everything() {
    Table root;
    root.tables.push_back(
        {.name = "server",
         .required = true,
         .keys = {{.name = "name", .type = Type::name, .required = true, .help = "write a name"},
                  {.name = "listen", .type = Type::listen, .def = "\"127.0.0.1:0\""},
                  {.name = "lease",
                   .type = Type::duration,
                   .def = "\"600ms\"",
                   .min = "\"100ms\"",
                   .max = "\"1m\""},
                  {.name = "links", .type = Type::integer, .def = "2", .min = "1", .max = "8"},
                  {.name = "least", .type = Type::integer, .min = "1"},
                  {.name = "ratio", .type = Type::number, .max = "1.0"},
                  {.name = "memory", .type = Type::size, .max = "\"1MiB\""},
                  {.name = "on", .type = Type::boolean, .def = "true"},
                  {.name = "mode", .type = Type::choice, .choices = {"fast", "slow"}},
                  {.name = "file", .type = Type::path},
                  {.name = "paths", .type = Type::path_list},
                  {.name = "words", .type = Type::string_list},
                  {.name = "admin", .type = Type::address_list},
                  {.name = "range", .type = Type::endpoint_range},
                  {.name = "target", .type = Type::endpoint},
                  {.name = "link", .type = Type::url},
                  {.name = "free", .type = Type::table},
                  {.name = "secret", .type = Type::integer, .secret = true}},
         .tables = {{.name = "park",
                     .keys = {{.name = "clients", .type = Type::integer, .def = "1024"},
                              {.name = "time", .type = Type::duration, .required = true}}}}});
    root.tables.push_back({.name = "listener",
                           .named = true,
                           .keys = {{.name = "address", .type = Type::listen, .required = true}}});
    return root;
}

struct Checked {
    std::optional<Section> section;
    Problems problems;
};

Checked check(const std::string& text) {
    Checked out;
    const Source source = Source::from_text(text, "a.toml", "/etc/umbra");
    const auto root = parse(source, out.problems);
    if (root) out.section = validate(*root, everything(), Origin{.source = &source}, out.problems);
    return out;
}

std::vector<std::string> faults(const std::string& text) { return told(check(text).problems); }

/// With the first lines that are always needed; what `text` says begins in line 3.
std::vector<std::string> server_faults(const std::string& text) {
    return faults("[server]\nname = \"a\"\n" + text);
}

TEST(SchemaTest, EveryTypeIsReadWithItsPlace) {
    const Checked c = check(R"([server]
name = "a"
listen = "127.0.0.1:7443"
lease = "1m"
links = 8
least = 1
ratio = 1
memory = "64KiB"
on = false
mode = "slow"
file = "x/../y.pem"
paths = ["/a", "b"]
words = ["x", "y"]
admin = ["unix:/run/a.sock", "https://[::]:1"]
range = "H:1-2"
target = "t:3"
link = "tcp://a:1"
free = { k = 1 }
park = { time = "10s", clients = 5 }
[listener.b]
address = "127.0.0.1:1"
[listener.a]
address = "127.0.0.1:2"
)");
    ASSERT_THAT(told(c.problems), IsEmpty());
    const Section& s = c.section->table("server");
    EXPECT_EQ(s.text("name"), "a");
    EXPECT_EQ(s.endpoint("listen"), (Endpoint{"127.0.0.1", 7443}));
    EXPECT_EQ(s.duration("lease"), std::chrono::minutes{1});
    EXPECT_EQ(s.integer("links"), 8);
    EXPECT_EQ(s.number("ratio"), 1.0);
    EXPECT_EQ(s.size("memory"), 65536);
    EXPECT_FALSE(s.boolean("on"));
    EXPECT_EQ(s.text("mode"), "slow");
    EXPECT_EQ(s.path("file"), "/etc/umbra/y.pem");
    EXPECT_THAT(s.list("paths"), ElementsAre("/a", "/etc/umbra/b"));
    EXPECT_THAT(s.list("words"), ElementsAre("x", "y"));
    EXPECT_THAT(s.addresses("admin"),
                ElementsAre(ListenAddress{"/run/a.sock", {}}, ListenAddress{"", {"::", 1}}));
    EXPECT_EQ(s.endpoint_range("range"), (EndpointRange{"h", 1, 2}));
    EXPECT_EQ(s.endpoint("target"), (Endpoint{"t", 3}));
    EXPECT_EQ(s.node("free").find("k")->value.integer, 1);
    EXPECT_EQ(s.at("links"), (Position{5, 9}));
    EXPECT_EQ(s.find("links")->key_at, (Position{5, 1}));
    EXPECT_EQ(s.table("park").integer("clients"), 5);
    EXPECT_EQ(s.table("park").path(), "server.park");
    ASSERT_EQ(c.section->named("listener").size(), 2u);
    EXPECT_EQ(c.section->named("listener")[0].name(), "a");
    EXPECT_EQ(c.section->named("listener")[0].path(), "listener.a");
    EXPECT_EQ(c.section->named("listener")[0].at(), (Position{22, 1}));
}

TEST(SchemaTest, DefaultsApplyAndSaySo) {
    const Checked c = check("[server]\nname = \"a\"\n");
    ASSERT_THAT(told(c.problems), IsEmpty());
    const Section& s = c.section->table("server");
    EXPECT_EQ(s.integer("links"), 2);
    EXPECT_FALSE(s.find("links")->given);
    EXPECT_EQ(s.at("links"), (Position{1, 1}));
    EXPECT_FALSE(s.has("mode"));
    EXPECT_FALSE(s.table("park").given());
    EXPECT_EQ(s.table("park").integer("clients"), 1024);
    EXPECT_TRUE(c.section->named("listener").empty());
}

TEST(SchemaTest, AllMistakesAreReportedAtOnceInTheOrderOfTheFile) {
    EXPECT_THAT(
        faults("[server]\nnme = \"a\"\nlinks = \"2\"\nlease = \"5x\"\n[lisener.a]\n"
               "[listener.A]\nadress = \"x\"\n"),
        ElementsAre(
            "a.toml:1:1: error: [server] needs the key \"name\", a name",
            "a.toml:2:1: error: unknown key \"nme\" in [server]",
            "a.toml:3:9: error: \"links\" must be an integer from 1 to 8, found the string \"2\"",
            "a.toml:4:9: error: \"lease\" must be a duration such as \"150ms\" or \"2s\" from "
            "\"100ms\" to \"1m\", found the string \"5x\"",
            "a.toml:5:2: error: unknown table [lisener]",
            "a.toml:6:1: error: [listener.A] needs the key \"address\", an endpoint \"host:port\"",
            "a.toml:6:11: error: \"A\" is not a name for [listener.NAME]: a name consists of a-z, "
            "0-9 and '-'",
            "a.toml:7:1: error: unknown key \"adress\" in [listener.A]"));
}

TEST(SchemaTest, UnknownKeysNameTheNearestKnownOne) {
    const Checked c = check("[server]\nname = \"a\"\nlnks = 2\npakr = {}\nzzzzzz = 1\n");
    ASSERT_EQ(c.problems.list().size(), 3u);
    EXPECT_EQ(c.problems.list()[0].help, "did you mean \"links\"?");
    EXPECT_EQ(c.problems.list()[1].help, "did you mean \"park\"?");
    EXPECT_THAT(c.problems.list()[2].help, HasSubstr("known are \"admin\", "));
    EXPECT_EQ(c.problems.list()[0].key, "server.lnks");
}

TEST(SchemaTest, RangesHoldAtTheirEnds) {
    EXPECT_THAT(server_faults("links = 1\nlease = \"100ms\"\nmemory = \"1MiB\"\nratio = 1.0"),
                IsEmpty());
    EXPECT_THAT(
        server_faults("links = 0\nlease = \"99ms\"\nmemory = 1048577\nratio = 1.1\nleast = 0"),
        ElementsAre(
            "a.toml:3:9: error: \"links\" must be an integer from 1 to 8, found the integer 0",
            "a.toml:4:9: error: \"lease\" must be a duration such as \"150ms\" or \"2s\" from "
            "\"100ms\" to \"1m\", found the string \"99ms\"",
            "a.toml:5:10: error: \"memory\" must be a size such as 4096 or \"64KiB\", at most "
            "\"1MiB\", found the integer 1048577",
            "a.toml:6:9: error: \"ratio\" must be a number, at most 1.0, found the float 1.1",
            "a.toml:7:9: error: \"least\" must be an integer, at least 1, found the integer 0"));
    EXPECT_THAT(server_faults("links = 9"), ElementsAre(HasSubstr("found the integer 9")));
    EXPECT_THAT(server_faults("ratio = nan"), ElementsAre(HasSubstr("found the float nan")));
    EXPECT_THAT(server_faults("memory = -1"), ElementsAre(HasSubstr("a size is not negative")));
}

TEST(SchemaTest, WrongTypesSayWhatWasFoundAndWhatIsAllowed) {
    EXPECT_THAT(
        server_faults("on = 1\nlinks = true\nlistn = 1\nmode = \"fats\"\nfile = []\nwords = \"a\"\n"
                      "paths = [1]\nrange = \"a\"\nlink = \"x\"\nfree = 5\ntarget = \"a:0\"\n"
                      "file2 = { a = 1 }\nadmin = \"http://x:1\"\npark = 5"),
        ElementsAre(
            "a.toml:3:6: error: \"on\" must be true or false, found the integer 1",
            "a.toml:4:9: error: \"links\" must be an integer from 1 to 8, found the boolean true",
            "a.toml:5:1: error: unknown key \"listn\" in [server]",
            "a.toml:6:8: error: \"mode\" must be one of \"fast\", \"slow\", found the string "
            "\"fats\"",
            "a.toml:7:8: error: \"file\" must be a path, found an array",
            "a.toml:8:9: error: \"words\" must be a list of strings, found the string \"a\"",
            "a.toml:9:10: error: \"paths\" must be a list of paths, found the integer 1",
            "a.toml:10:9: error: \"range\" must be an endpoint \"host:port\" or "
            "\"host:first-last\", found the string \"a\": the port is missing",
            "a.toml:11:8: error: \"link\" must be a URL such as \"tcp://127.0.0.1:7401\", found "
            "the string \"x\"",
            "a.toml:12:8: error: \"free\" must be a table, found the integer 5",
            "a.toml:13:10: error: \"target\" must be an endpoint \"host:port\", found the string "
            "\"a:0\": port 0 cannot be connected to",
            "a.toml:14:1: error: unknown table [server.file2]",
            "a.toml:15:9: error: \"admin\" must be one or a list of \"unix:/path\" and "
            "\"https://host:port\", found the string \"http://x:1\"",
            "a.toml:16:1: error: \"park\" must be a table, found the integer 5"));
}

TEST(SchemaTest, AMissingTableIsReportedAtTheTopAndAnInlineOneAtItsBrace) {
    EXPECT_THAT(faults(""), ElementsAre("a.toml:1:1: error: the table [server] is missing"));
    EXPECT_THAT(server_faults("park = { clients = 1 }"),
                ElementsAre(HasSubstr("a.toml:3:8: error: [server.park] needs the key \"time\"")));
    EXPECT_THAT(faults("server = 1"),
                ElementsAre("a.toml:1:1: error: \"server\" must be a table, found the integer 1"));
    EXPECT_THAT(faults("[[server]]"), ElementsAre(HasSubstr("must be a table, found an array")));
    EXPECT_THAT(server_faults("[listener]\na = 1"),
                ElementsAre("a.toml:4:1: error: \"a\" must be a table, found the integer 1"));
}

TEST(SchemaTest, SecretsAreNeverShown) {
    const Checked wrong = check("[server]\nname = \"a\"\nsecret = \"hunter2\"\n");
    EXPECT_THAT(wrong.problems.render(), HasSubstr("3:10: error: \"secret\" must be an integer"));
    EXPECT_THAT(wrong.problems.render(), Not(HasSubstr("hunter2")));
    const Checked misspelled = check("[server]\nname = \"a\"\nsecrte = \"hunter2\"\n");
    EXPECT_THAT(misspelled.problems.render(), HasSubstr("did you mean \"secret\""));
    EXPECT_THAT(misspelled.problems.render(), Not(HasSubstr("hunter2")));
}

TEST(SchemaTest, WithoutAFileProblemsNameTheKey) {
    Problems problems;
    const auto root =
        parse(Source::from_text("[server]\nlinks = 9\n[listener.\"a b\"]\nx = 1", "-"), problems);
    const Origin origin{.where = "revision 3.41", .paths_absolute = true};
    (void)validate(*root, everything(), origin, problems);
    EXPECT_THAT(told(problems),
                ElementsAre(HasSubstr("revision 3.41: listener.\"a b\": error: \"a b\" is not"),
                            HasSubstr("listener.\"a b\".address: error: "),
                            HasSubstr("listener.\"a b\".x: error: unknown key \"x\""),
                            HasSubstr("revision 3.41: server.links: error: \"links\" must be"),
                            HasSubstr("server.name: error: [server] needs the key \"name\"")));
}

TEST(SchemaDeathTest, AskingForAKeyThatTheSchemaDoesNotHaveIsABug) {
    const Checked c = check("[server]\nname = \"a\"\n");
    EXPECT_DEATH((void)c.section->table("server").text("links"), "has no \"links\" of the type");
    EXPECT_DEATH((void)c.section->table("nothing"), "has no \"nothing\"");
}

}  // namespace
}  // namespace umbra::config
