// What gateways write into etcd for each other.

#include "shared_values.hpp"

#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

SharedRecord sample() {
    SharedRecord shared;
    shared.record.serial = 42;
    shared.record.epoch = 3;
    shared.record.holder = {"alpha", "a1"};
    shared.record.incarnations = {{"alpha", "a1"}, {"beta", "\xff\x00\"b"}};
    shared.record.in_sync = {{"alpha", "a1"}, {"beta", "\xff\x00\"b"}};
    shared.record.in_sync_seq = 7;
    shared.drain = true;
    shared.by = "cloud-1";
    shared.write = "00ff-1";
    shared.store = "aa";
    return shared;
}

TEST(SharedValues, KeysNamePairsAndGateways) {
    const SharedKeys keys("/x/");
    EXPECT_EQ(keys.record("default"), "/x/pair/default");
    EXPECT_EQ(keys.pair_of("/x/pair/default"), "default");
    EXPECT_EQ(keys.pair_of("/x/pair/"), "");
    EXPECT_EQ(keys.pair_of("/x/pair/a/b"), "");
    EXPECT_EQ(keys.pair_of("/x/gateway/00"), "");
    EXPECT_EQ(keys.gateway("00"), "/x/gateway/00");
}

TEST(SharedValues, ARecordComesBackAsItWas) {
    const auto text = encode_shared(sample());
    EXPECT_EQ(decode_shared(text).value(), sample());
    EXPECT_NE(text.find(R"("epoch":3,"holder":"alpha","by":"cloud-1")"), std::string::npos) << text;
    EXPECT_EQ(decode_shared(encode_shared(SharedRecord{})).value(), SharedRecord{});
}

TEST(SharedValues, ADamagedRecordIsNone) {
    const auto text = encode_shared(sample());
    for (std::size_t cut = 0; cut < text.size(); cut += 7)
        EXPECT_FALSE(decode_shared(text.substr(0, cut)).ok()) << cut;
    auto flipped = text;
    const auto at = flipped.find("\"record\":\"") + 40;
    flipped[at] = flipped[at] == '0' ? '1' : '0';
    EXPECT_EQ(decode_shared(flipped).error().code, Errc::data_loss);
    for (const char* bad : {"", "[]", "1", "{}", R"({"format":1})", R"({"format":1,"record":"0"})",
                            R"({"format":1,"record":"zz"})", R"({"format":"1","record":""})"})
        EXPECT_EQ(decode_shared(bad).error().code, Errc::data_loss) << bad;
    EXPECT_EQ(decode_shared(R"({"format":2})").error().code, Errc::unsupported);
    EXPECT_FALSE(decode_shared(std::string(100'000, '[')).ok());
}

TEST(SharedValues, ANoteComesBackAsItWas) {
    GatewayNote note{"cloud-1", std::chrono::seconds(5), {}};
    note.pairs["default"] = {3, true, true, "beta", {{"alpha", 3}, {"beta", 2}}};
    note.pairs["two"] = {0, false, true, "", {}};
    note.pairs["three"] = {9, false, false, "", {}};
    const auto read = decode_note(encode_note(note, "00ff", 17));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read.value().note, note);
    EXPECT_EQ(read.value().session, "00ff");
    EXPECT_NE(encode_note(note, "00ff", 17), encode_note(note, "00ff", 18));
}

TEST(SharedValues, ADamagedNoteIsNone) {
    for (const char* bad :
         {"", "{}", R"({"format":1})", R"({"format":1,"hold_ms":5000})",
          R"({"format":1,"hold_ms":-1,"pairs":{}})", R"({"format":1,"hold_ms":60001,"pairs":{}})",
          R"({"format":1,"hold_ms":5000,"pairs":{"a":1}})",
          R"({"format":1,"hold_ms":5000,"pairs":{"a":{"epoch":1}}})",
          R"({"format":1,"hold_ms":5000,"pairs":{"a":{"epoch":-1,"reports":{}}}})",
          R"({"format":1,"hold_ms":5000,"pairs":{"a":{"epoch":1,"reports":{"n":"x"}}}})"})
        EXPECT_FALSE(decode_note(bad).ok()) << bad;
    EXPECT_TRUE(decode_note(R"({"format":1,"hold_ms":60000,"pairs":{}})").ok());
    EXPECT_EQ(decode_note(R"({"format":2})").error().code, Errc::unsupported);
}

}  // namespace
}  // namespace umbra::gateway
