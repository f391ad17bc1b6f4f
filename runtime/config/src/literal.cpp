#include "literal.hpp"

#include <umbra/config/node.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace umbra::config {

namespace {

void append_escaped(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\t':
            out += "\\t";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\f':
            out += "\\f";
            return;
        case '\r':
            out += "\\r";
            return;
        default:
            break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
        out.push_back(c);
        return;
    }
    constexpr char digits[] = "0123456789ABCDEF";
    out += "\\u00";
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
}

bool is_bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

std::string array_literal(const Node& node) {
    std::string out = "[";
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        out += (i == 0 ? "" : ", ") + to_literal(node.items[i]);
    }
    return out + "]";
}

std::string table_literal(const Node& node) {
    if (node.entries.empty()) return "{}";
    std::string out = "{ ";
    for (std::size_t i = 0; i < node.entries.size(); ++i) {
        const Entry& entry = node.entries[i];
        out += (i == 0 ? "" : ", ") + key_literal(entry.key) + " = " + to_literal(entry.value);
    }
    return out + " }";
}

}  // namespace

std::string string_literal(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) append_escaped(out, c);
    return out + "\"";
}

std::string key_literal(std::string_view key) {
    const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), is_bare);
    return bare ? std::string(key) : string_literal(key);
}

std::string number_literal(double number) {
    if (std::isnan(number)) return "nan";
    if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
    std::array<char, 32> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
    std::string out(buffer.data(), end);
    if (out.find_first_of(".e") == std::string::npos) out += ".0";
    return out;
}

std::string to_literal(const Node& node) {
    switch (node.kind) {
        case Node::Kind::string:
            return string_literal(node.text);
        case Node::Kind::integer:
            return std::to_string(node.integer);
        case Node::Kind::number:
            return number_literal(node.number);
        case Node::Kind::boolean:
            return node.boolean ? "true" : "false";
        case Node::Kind::datetime:
            return node.text;
        case Node::Kind::array:
            return array_literal(node);
        case Node::Kind::table:
            return table_literal(node);
    }
    return {};
}

}  // namespace umbra::config
