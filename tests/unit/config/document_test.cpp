#include "sample_catalog.hpp"
#include <umbra/config/shared_document.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace umbra::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

core::Document document(const std::string& text) {
    Problems problems;
    const auto parsed = parse_document(Source::from_text(text, "a.toml"), problems);
    EXPECT_THAT(told(problems), IsEmpty()) << text;
    return parsed ? parsed->document : core::Document();
}

TEST(DocumentTest, TablesBecomeDottedKeysAndLiteralsCanonical) {
    EXPECT_THAT(
        document(R"(
z = 0x10
[a]
options = { address = '127.0.0.1:1', links = 1_000, "odd key" = true }
list = [ 1,
  2, # two
]
f = 1e3
when = 1979-05-27 07:32:00.5Z
text = """
a"\
   b	é"""
empty = {}
rows = [{ y = 1, x = { b = 2, a.c = 1 } }, {}]
)"),
        ElementsAre(Pair("a.f", "1000.0"), Pair("a.list", "[1, 2]"),
                    Pair("a.options.\"odd key\"", "true"),
                    Pair("a.options.address", "\"127.0.0.1:1\""), Pair("a.options.links", "1000"),
                    Pair("a.rows", "[{ x = { a = { c = 1 }, b = 2 }, y = 1 }, {}]"),
                    Pair("a.text", "\"a\\\"b\\t\xc3\xa9\""),
                    Pair("a.when", "1979-05-27T07:32:00.5Z"), Pair("z", "16")));
}

TEST(DocumentTest, EveryKeyHasItsPlace) {
    Problems problems;
    const auto parsed = parse_document(
        Source::from_text("[t.main]\nplugin = \"x\"\no = { a = 1, b.c = 2 }\n", "a"), problems);
    ASSERT_TRUE(parsed);
    EXPECT_THAT(parsed->at, ElementsAre(Pair("t.main.o.a", Position{3, 7}),
                                        Pair("t.main.o.b.c", Position{3, 16}),
                                        Pair("t.main.plugin", Position{2, 1})));
}

TEST(DocumentTest, IsWrittenInGroupsAndSorted) {
    const core::Document doc = document(
        "top = 1\ntunnel.main.plugin = \"gateway\"\ntunnel.main.options = { links = 2, address = "
        "\"a:1\" }\ntunnel.main-2.plugin = \"x\"\ntakeover.acknowledge = \"both\"");
    EXPECT_EQ(to_toml(doc),
              "top = 1\n\n[takeover]\nacknowledge = \"both\"\n\n[tunnel.main]\nplugin = "
              "\"gateway\"\n\n[tunnel.main.options]\naddress = \"a:1\"\nlinks = 2\n\n"
              "[tunnel.main-2]\nplugin = \"x\"\n");
    EXPECT_EQ(document(to_toml(doc)), doc);
    EXPECT_EQ(to_toml({}), "");
}

TEST(DocumentTest, JsonIsNested) {
    EXPECT_EQ(
        to_json(document("a.b = [1, \"x\\u0001\"]\na.c = 1979-05-27\nd = inf\ne = 1.5")),
        "{\"a\": {\"b\": [1, \"x\\u0001\"], \"c\": \"1979-05-27\"}, \"d\": null, \"e\": 1.5}");
    EXPECT_EQ(to_json({}), "{}");
}

TEST(DocumentTest, DepthIsLimitedWithAllItsTables) {
    std::string header = "[a", key = "b", over = "b";
    for (std::size_t i = 1; i < key_parts_max / 2; ++i) header += ".a", key += ".b";
    over = key + ".b";
    EXPECT_EQ(document(header + "]\n" + key + " = 1").size(), 1u);
    Problems problems;
    EXPECT_FALSE(
        parse_document(Source::from_text(header + "]\n" + over + " = 1", "a.toml"), problems));
    EXPECT_THAT(told(problems), ElementsAre(HasSubstr("has more than 32 parts or 1024 bytes")));
}

TEST(DocumentTest, ATreeOfAContradictionIsRefusedByKey) {
    Problems problems;
    (void)to_tree({{"a", "1"}, {"a.b", "2"}, {"c", "nonsense"}, {"d", "{ x = 1 }"}, {"e", "1 #"}},
                  problems);
    EXPECT_THAT(told(problems), ElementsAre(HasSubstr("a.b: error: has keys below it and a value"),
                                            "c: error: does not hold a TOML value",
                                            "d: error: holds a table as a value"));
    Problems order;
    (void)to_tree({{"a-x", "1"}, {"a.b.c", "1"}, {"a.b", "2"}}, order);
    EXPECT_THAT(told(order), ElementsAre(HasSubstr("a.b.c: error: has keys below it")));
}

TEST(KeyTest, IsMadeCanonical) {
    EXPECT_EQ(*canonical_key("tunnel.main.plugin"), "tunnel.main.plugin");
    EXPECT_EQ(*canonical_key(" a . \"b\" . 'c d' "), "a.b.\"c d\"");
    EXPECT_EQ(*canonical_key("a.\"\""), "a.\"\"");
    EXPECT_EQ(*canonical_key("\"a#b\".\"c=d#\""), "\"a#b\".\"c=d#\"");
    EXPECT_EQ(*canonical_key("\"\\u00e9\".x"), "\"\xc3\xa9\".x");
    EXPECT_EQ(split_key("a.\"c.d\".e"), (std::vector<std::string>{"a", "c.d", "e"}));
    EXPECT_EQ(join_key({"a", "c.d", ""}), "a.\"c.d\".\"\"");
    for (const char* text :
         {"", ".", "a.", ".a", "a..b", "a b", "a=1", "a = 1 #", "a = 1\n#", "[a]", "a#", "\"a",
          "a\nb", "\xff", "a = \"", "a = '''\n", "\xc3\xa9"}) {
        EXPECT_FALSE(canonical_key(text).ok()) << text;
    }
}

TEST(KeyTest, LengthAndPartsAreLimited) {
    std::string parts = "a";
    for (std::size_t i = 1; i < key_parts_max; ++i) parts += ".a";
    EXPECT_TRUE(canonical_key(parts).ok());
    EXPECT_FALSE(canonical_key(parts + ".a").ok());
    EXPECT_TRUE(canonical_key(std::string(key_bytes_max, 'a')).ok());
    EXPECT_FALSE(canonical_key(std::string(key_bytes_max + 1, 'a')).ok());
}

TEST(LiteralTest, IsMadeCanonical) {
    for (const auto& [typed, canonical] : std::vector<std::pair<std::string, std::string>>{
             {"'a'", "\"a\""},
             {" 5 ", "5"},
             {"0", "0"},
             {"-7", "-7"},
             {"999999999999999999", "999999999999999999"},
             {"9223372036854775807", "9223372036854775807"},
             {"\"\"", "\"\""},
             {"0b101", "5"},
             {"-0.0", "-0.0"},
             {"1e400", "inf"},
             {"+inf", "inf"},
             {"0.1", "0.1"},
             {"1e22", "1e+22"},
             {"\"\\u001b\\u007f\"", "\"\\u001B\\u007F\""},
             {"[ 1, 'a', [true] ]", "[1, \"a\", [true]]"},
             {"07:32:00", "07:32:00"},
             {"1979-05-27T07:32:00+01:30", "1979-05-27T07:32:00+01:30"}}) {
        const auto literal = canonical_literal(typed);
        if (typed == "1e400" && !literal.ok()) continue;  // Either is a right answer.
        ASSERT_TRUE(literal.ok()) << typed;
        EXPECT_EQ(*literal, canonical);
        EXPECT_EQ(*canonical_literal(*literal), canonical);
    }
    for (const char* text : {"", "007", "-", "9223372036854775808", "\"\\q\"", "\"", "\"a\"b\"",
                             "tcp", "5 # five", "1\nw = 2", "\"a", "[1", "1 2", "a = 1", "2s"}) {
        EXPECT_FALSE(canonical_literal(text).ok()) << text;
    }
}

using Changes = std::vector<core::Change>;

class EditTest : public testing::Test {
protected:
    const core::Document doc_ = document(
        "tunnel.main.plugin = \"gateway\"\ntunnel.main.options = { address = \"a:1\", links = 2 }");
};

TEST_F(EditTest, SetTakesLiteralsAndBareWords) {
    EXPECT_EQ(*set_changes(doc_, "tunnel . main.plugin", "\"ssh\""),
              (Changes{{"tunnel.main.plugin", "\"ssh\""}}));
    EXPECT_EQ(*set_changes(doc_, "a", "127.0.0.1:8000"), (Changes{{"a", "\"127.0.0.1:8000\""}}));
    EXPECT_EQ(*set_changes(doc_, "a", "2s"), (Changes{{"a", "\"2s\""}}));
    EXPECT_EQ(*set_changes(doc_, "a", "true"), (Changes{{"a", "true"}}));
    EXPECT_EQ(*set_changes(doc_, "a", ""), (Changes{{"a", "\"\""}}));
    EXPECT_EQ(*set_changes(doc_, "a", "x # y"), (Changes{{"a", "\"x # y\""}}));
    for (const char* broken : {"\"a", "[1", "{ a = 1", "'", " \"x\" y"}) {
        EXPECT_FALSE(set_changes(doc_, "a", broken).ok()) << broken;
    }
    EXPECT_FALSE(set_changes(doc_, "a", "\xff").ok());
    EXPECT_FALSE(set_changes(doc_, "a..b", "1").ok());
}

TEST_F(EditTest, ATableReplacesWhatWasBelow) {
    EXPECT_EQ(*set_changes(doc_, "tunnel.main.options", "{ links = 3, tls.on = true }"),
              (Changes{{"tunnel.main.options.address", std::nullopt},
                       {"tunnel.main.options.links", "3"},
                       {"tunnel.main.options.tls.on", "true"}}));
    EXPECT_EQ(*set_changes(doc_, "tunnel.main.plugin", "{ a = 1 }"),
              (Changes{{"tunnel.main.plugin", std::nullopt}, {"tunnel.main.plugin.a", "1"}}));
}

TEST_F(EditTest, AValueAndATableCannotShareAKey) {
    EXPECT_EQ(
        set_changes(doc_, "tunnel.main", "1").error().message,
        "tunnel.main is a table, so it cannot be set to a single value; set a key below it or "
        "unset it first");
    EXPECT_EQ(set_changes(doc_, "tunnel.main.plugin.x", "1").error().message,
              "tunnel.main.plugin is a value, so tunnel.main.plugin.x cannot be set below it");
}

TEST_F(EditTest, UnsetTakesAKeyOrATable) {
    EXPECT_EQ(*unset_changes(doc_, "tunnel.main.options"),
              (Changes{{"tunnel.main.options.address", std::nullopt},
                       {"tunnel.main.options.links", std::nullopt}}));
    EXPECT_EQ(*unset_changes(doc_, "tunnel.main.plugin"),
              (Changes{{"tunnel.main.plugin", std::nullopt}}));
    EXPECT_EQ(unset_changes(doc_, "tunnel.main.plugn").error().message,
              "there is no key tunnel.main.plugn; did you mean tunnel.main.plugin?");
    EXPECT_FALSE(unset_changes(doc_, "tunnel.mai").ok());
}

TEST_F(EditTest, SubsetAndDiff) {
    EXPECT_EQ(subset(doc_, "tunnel.main.options").size(), 2u);
    EXPECT_EQ(subset(doc_, "tunnel.main.options.links").size(), 1u);
    EXPECT_EQ(subset(doc_, "tunnel.mai").size(), 0u);
    EXPECT_EQ(subset(doc_, "").size(), 3u);
    core::Document other = doc_;
    other["tunnel.main.options.links"] = "3";
    other.erase("tunnel.main.plugin");
    other["a"] = "1";
    EXPECT_EQ(diff_text(doc_, other),
              "+ a = 1\n- tunnel.main.options.links = 2\n+ tunnel.main.options.links = 3\n"
              "- tunnel.main.plugin = \"gateway\"\n");
    EXPECT_EQ(diff_text(doc_, doc_), "");
}

/// Documents of any shape that the limits allow.
class Generator {
public:
    explicit Generator(unsigned seed) : random_(seed) {}

    core::Document document() {
        Node root;
        fill(root, 0);
        Problems problems;
        return to_document(root, Source::from_text({}, "generated"), problems).document;
    }

private:
    std::size_t pick(std::size_t n) { return random_() % n; }

    std::string word() {
        const std::vector<std::string> letters{"a",
                                               "B",
                                               "0",
                                               "-",
                                               "_",
                                               ".",
                                               " ",
                                               "\"",
                                               "\\",
                                               "\xc3\xa9",
                                               "\x01",
                                               "\n",
                                               "#",
                                               "=",
                                               "'",
                                               "\x7f",
                                               "\xf0\x9f\x98\x80"};
        std::string out;
        for (std::size_t n = pick(5); n > 0; --n) out += letters[pick(letters.size())];
        return out;
    }

    void fill(Node& table, int depth) {
        for (std::size_t n = pick(5); n > 0; --n) table.get(word()).value = value(depth + 1, true);
    }

    Node value(int depth, bool tables) {
        Node node;
        node.kind = static_cast<Node::Kind>(pick(depth > 4 ? 5 : 7));
        node.text = word();
        node.integer = static_cast<std::int64_t>(random_());
        node.boolean = pick(2) == 0;
        const std::uint64_t bits = random_();
        static_assert(sizeof bits == sizeof node.number);
        std::memcpy(&node.number, &bits, sizeof bits);
        if (node.number != node.number) node.number = 0.1;
        if (node.kind == Node::Kind::datetime) node.text = "1979-05-27T07:32:00.000001-08:00";
        if (node.kind == Node::Kind::array) {
            for (std::size_t n = pick(4); n > 0; --n) node.items.push_back(value(depth + 1, true));
        }
        if (node.kind == Node::Kind::table && tables) fill(node, depth);
        return node;
    }

    std::mt19937_64 random_;
};

TEST(DocumentTest, WhatIsWrittenReadsBackWhateverItIs) {
    for (unsigned seed = 0; seed < 1500; ++seed) {
        const core::Document doc = Generator(seed).document();
        const std::string text = to_toml(doc);
        ASSERT_EQ(document(text), doc) << "seed " << seed << "\n" << text;
        Problems problems;
        const Node tree = to_tree(doc, problems);
        ASSERT_TRUE(problems.empty()) << "seed " << seed << "\n" << problems.render();
        ASSERT_EQ(to_document(tree, Source::from_text({}, "tree"), problems).document, doc);
        for (const auto& [key, literal] : doc) {
            ASSERT_EQ(*canonical_key(key), key);
            ASSERT_EQ(join_key(split_key(key)), key);
            ASSERT_EQ(*canonical_literal(literal), literal);
        }
    }
}

}  // namespace
}  // namespace umbra::config
