#pragma once

#include <umbra/config/node.hpp>
#include <umbra/config/problem.hpp>
#include <umbra/config/source.hpp>
#include <umbra/core/document.hpp>
#include <umbra/sdk/result.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

/// A document with the place of every key in the text it was read from.
struct ParsedDocument {
    core::Document document;
    std::map<std::string, Position> at;
};

/// TOML text -> document in canonical form. Tables become dotted keys; empty tables vanish; tables
/// inside arrays stay values. Says nothing about whether the keys mean anything.
[[nodiscard]] std::optional<ParsedDocument> parse_document(const Source& source,
                                                           Problems& problems);
/// The same for a tree that is already parsed.
[[nodiscard]] ParsedDocument to_document(const Node& root, const Source& source,
                                         Problems& problems);

/// Document -> tree of TOML values, without positions. Problems name the key: a literal that is
/// not one, a key that is both a value and a table.
[[nodiscard]] Node to_tree(const core::Document& document, Problems& problems);

/// Document -> TOML text for people: grouped into [tables], sorted. Reads back as the same
/// document.
[[nodiscard]] std::string to_toml(const core::Document& document);
/// Document -> JSON text, nested; date-times become strings, infinities and NaN become null.
[[nodiscard]] std::string to_json(const core::Document& document);

/// Canonical form of a dotted key as a user types it: ` a . "b" ` -> `a.b`.
[[nodiscard]] Result<std::string> canonical_key(std::string_view typed);
/// Parts of a canonical key, unquoted, and back.
[[nodiscard]] std::vector<std::string> split_key(std::string_view canonical);
[[nodiscard]] std::string join_key(const std::vector<std::string>& parts);

/// Canonical form of a TOML literal: `0x10` -> `16`, `'a'` -> `"a"`.
[[nodiscard]] Result<std::string> canonical_literal(std::string_view typed);

/// `KEY=VALUE` of a command line -> changes. VALUE is a TOML literal; a word that is none and does
/// not begin like one (quote, bracket, brace) is taken as a string, because a shell eats quotes. A
/// table replaces all keys below KEY. Refused when KEY is a table of `document` and VALUE is not,
/// or when a part of KEY is a value.
[[nodiscard]] Result<std::vector<core::Change>> set_changes(const core::Document& document,
                                                            std::string_view key,
                                                            std::string_view value);
/// The key, or all keys below it. An error when there is neither.
[[nodiscard]] Result<std::vector<core::Change>> unset_changes(const core::Document& document,
                                                              std::string_view key);

/// The keys equal to or below `key` (canonical), under their full names. All for an empty key.
[[nodiscard]] core::Document subset(const core::Document& document, std::string_view key);

/// `- key = literal` and `+ key = literal`, one line each, sorted by key; empty when equal.
[[nodiscard]] std::string diff_text(const core::Document& from, const core::Document& to);

}  // namespace umbra::config
