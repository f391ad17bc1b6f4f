#pragma once

#include <umbra/config/problem.hpp>
#include <umbra/config/source.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

struct Entry;

/// A TOML value with the place it stands at.
struct Node {
    enum class Kind : std::uint8_t { string, integer, number, boolean, datetime, array, table };

    Kind kind = Kind::table;
    Position at;  ///< Of the value; of a table: its header, or its `{`, or its first dotted key.
    std::string text;  ///< string: its content; datetime: its canonical literal.
    std::int64_t integer = 0;
    double number = 0;
    bool boolean = false;
    std::vector<Node> items;     ///< array
    std::vector<Entry> entries;  ///< table, sorted by key

    /// The value under `key` of a table, or null.
    [[nodiscard]] const Entry* find(std::string_view key) const;
    /// Adds or finds.
    Entry& get(std::string_view key);
};

/// One key of a table.
struct Entry {
    std::string key;
    Position at;  ///< Of the key.
    Node value;
};

/// "string", "integer", "float", "boolean", "date-time", "array", "table".
[[nodiscard]] const char* to_string(Node::Kind kind);

/// `scan()`, then the TOML parser. On failure the first fault of syntax is in `problems`.
[[nodiscard]] std::optional<Node> parse(const Source& source, Problems& problems);

/// The value in canonical form, as it stands right of a `=`: basic strings with minimal escapes,
/// decimal integers, floats that read back exactly, inline tables sorted by key.
[[nodiscard]] std::string to_literal(const Node& node);

}  // namespace umbra::config
