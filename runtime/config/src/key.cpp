#include "literal.hpp"
#include "reader.hpp"
#include <umbra/config/shared_document.hpp>
#include <umbra/config/values.hpp>

namespace umbra::config {

namespace {

std::size_t character_count(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) == 0x80 ? 0 : 1;
    return count;
}

/// Parses `typed = 0`: a tree of one branch, whose names are the parts of the key.
std::optional<std::vector<std::string>> parts_of(std::string_view typed) {
    constexpr std::string_view tail = " = 0";
    Problems problems;
    const auto root =
        parse(Source::from_text(std::string(typed) + std::string(tail), "key"), problems);
    std::vector<std::string> parts;
    const Node* node = root ? &*root : nullptr;
    while (node != nullptr && node->kind == Node::Kind::table) {
        if (node->entries.size() != 1) return std::nullopt;
        parts.push_back(node->entries.front().key);
        node = &node->entries.front().value;
    }
    // The value must be the zero from here: `a = 1 #` would pass for the key `a` otherwise.
    const auto last = static_cast<std::uint32_t>(character_count(typed) + tail.size());
    if (node == nullptr || node->at != Position{1, last}) return std::nullopt;
    return parts;
}

/// Bare parts between single dots: such a key is canonical as it is and needs no parser.
bool is_plain(std::string_view key) {
    std::size_t parts = 1;
    bool empty = true;
    for (const char c : key) {
        if (c == '.') {
            if (empty || ++parts > key_parts_max) return false;
            empty = true;
        } else {
            const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
            empty = false;
        }
    }
    return !empty && key.size() <= key_bytes_max;
}

}  // namespace

Result<std::string> canonical_key(std::string_view typed) {
    if (is_plain(typed)) return std::string(typed);
    const auto parts = parts_of(typed);
    if (!parts) {
        return Error{Errc::invalid, in_quotes(typed) +
                                        " is not a key; keys look like tunnel.main.plugin, of at "
                                        "most " +
                                        std::to_string(key_parts_max) + " parts"};
    }
    std::string key = join_key(*parts);
    if (key.size() > key_bytes_max) {
        return Error{Errc::invalid, in_quotes(typed) + " is longer than the " +
                                        std::to_string(key_bytes_max) + " bytes of a key"};
    }
    return key;
}

std::vector<std::string> split_key(std::string_view canonical) {
    // Most keys are bare; those need no parser.
    if (canonical.find('"') == std::string_view::npos) {
        std::vector<std::string> parts;
        while (true) {
            const std::size_t dot = canonical.find('.');
            parts.emplace_back(canonical.substr(0, dot));
            if (dot == std::string_view::npos) return parts;
            canonical.remove_prefix(dot + 1);
        }
    }
    return parts_of(canonical).value_or(std::vector<std::string>{std::string(canonical)});
}

std::string join_key(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) {
        if (!out.empty()) out += '.';
        out += key_literal(part);
    }
    return out;
}

Result<std::string> canonical_literal(std::string_view typed) {
    if (plain_literal(typed)) return std::string(typed);
    const auto node = parse_literal(typed);
    // A comment behind the value would swallow the zero: it is no part of a value.
    if (!node || parse_literal(std::string(typed) + " 0")) {
        return Error{Errc::invalid,
                     in_quotes(typed) + " is not a TOML value; text stands in double quotes"};
    }
    return to_literal(*node);
}

}  // namespace umbra::config
