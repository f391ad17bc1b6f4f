#include <umbra/core/document.hpp>
#include <umbra/core/log.hpp>

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

TEST(DocumentTest, ChangesApplyInOrderAndRemovingWhatIsNotThereDoesNothing) {
    Document document{{"a", "1"}};
    apply(document, {{"a", "2"}, {"b", "3"}, {"b", std::nullopt}, {"c", std::nullopt}});
    EXPECT_EQ(document, (Document{{"a", "2"}}));
}

TEST(DocumentTest, TheDifferenceTurnsOneIntoTheOther) {
    const Document from{{"a", "1"}, {"b", "2"}, {"d", "4"}};
    const Document to{{"b", "3"}, {"c", "5"}, {"d", "4"}};
    const auto changes = difference(from, to);
    EXPECT_EQ(changes, (std::vector<Change>{{"a", std::nullopt}, {"b", "3"}, {"c", "5"}}));
    Document document = from;
    apply(document, changes);
    EXPECT_EQ(document, to);
    EXPECT_TRUE(difference(to, to).empty());
}

TEST(DocumentTest, WhatIsEncodedIsDecodedAndNothingElse) {
    for (const auto& document : {Document{}, Document{{"a", "1"}, {"b", ""}}}) {
        const auto bytes = encode(document);
        EXPECT_EQ(decode_document(bytes), document);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            EXPECT_FALSE(decode_document(std::string_view{bytes}.substr(0, size))) << size;
        }
        EXPECT_FALSE(decode_document(bytes + '\0'));
    }
}

TEST(DocumentTest, KeysOutOfOrderAreRefused) {
    auto bytes = encode(Document{{"a", "1"}, {"b", "1"}});
    bytes[bytes.find('b')] = 'a';
    EXPECT_FALSE(decode_document(bytes)) << "the same key twice";
}

}  // namespace
}  // namespace umbra::core
