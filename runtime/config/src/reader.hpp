#pragma once

#include <umbra/config/node.hpp>
#include <umbra/config/schema.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace umbra::config {

/// What is wrong with one value.
struct Fault {
    Position at;
    std::string text;  ///< `must be an integer from 1 to 8, found the string "2"`
    std::string help;
};

/// A literal that is read without a parser because it is canonical as it stands: text without
/// escapes, a whole number, true or false. Most of a document are such.
[[nodiscard]] std::optional<Node> plain_literal(std::string_view literal);
/// One TOML value, as it stands right of a `=`. Nothing when it is none.
[[nodiscard]] std::optional<Node> parse_literal(std::string_view literal);

/// The value that `node` has as a `key`, or what is wrong with it.
class Reader {
public:
    explicit Reader(const Origin& origin) : origin_(origin) {}

    /// @return nothing when `fault()` says why not
    [[nodiscard]] std::optional<Value> read(const Key& key, const Node& node);
    /// Of a default. That it is in range is up to who declared it; option_keys() sees to it.
    [[nodiscard]] std::optional<Value> read_default(const Key& key);
    [[nodiscard]] const Fault& fault() const noexcept { return fault_; }

private:
    bool read_into(const Key& key, const Node& node, Value& value);
    bool read_text(const Key& key, const Node& node, Value& value);
    bool read_list(const Key& key, const Node& node, Value& value);
    bool read_path(const Key& key, const Node& node, std::string& out);
    bool in_range(const Key& key, const Node& node, const Value& value);
    /// @param detail  What is wrong inside a value of the right type, as a sentence, or empty.
    bool fail(const Key& key, const Node& node, std::string_view detail = {});

    const Origin& origin_;
    Fault fault_;
};

/// "an integer from 1 to 8"
[[nodiscard]] std::string describe(const Key& key);

}  // namespace umbra::config
