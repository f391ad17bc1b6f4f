#include "literal.hpp"
#include <umbra/config/shared_document.hpp>

#include <cmath>

namespace umbra::config {

namespace {

/// TOML's basic strings are JSON strings: both escape the same characters.
std::string json(const Node& node) {
    std::string out;
    switch (node.kind) {
        case Node::Kind::datetime:
            return string_literal(node.text);
        case Node::Kind::number:
            return std::isfinite(node.number) ? number_literal(node.number) : "null";
        case Node::Kind::array:
            for (const Node& item : node.items) out += (out.empty() ? "" : ", ") + json(item);
            return "[" + out + "]";
        case Node::Kind::table:
            for (const Entry& entry : node.entries) {
                out += (out.empty() ? "" : ", ") + string_literal(entry.key) + ": " +
                       json(entry.value);
            }
            return "{" + out + "}";
        default:
            return to_literal(node);
    }
}

}  // namespace

std::string to_json(const core::Document& document) {
    Problems problems;  // A document that was committed has none.
    return json(to_tree(document, problems));
}

}  // namespace umbra::config
