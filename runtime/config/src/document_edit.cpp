#include "literal.hpp"
#include "reader.hpp"
#include <umbra/config/shared_document.hpp>

namespace umbra::config {

namespace {

Error invalid(std::string message) { return Error{Errc::invalid, std::move(message)}; }

/// A shell eats quotes: a word that does not begin like a literal is meant as text.
bool begins_like_a_literal(std::string_view value) {
    const std::size_t first = value.find_first_not_of(" \t");
    if (first == std::string_view::npos) return false;
    return std::string_view("\"'[{").find(value[first]) != std::string_view::npos;
}

Result<Node> read_value(std::string_view key, std::string_view value) {
    const auto literal = canonical_literal(value);
    if (literal.ok()) return *parse_literal(*literal);
    if (begins_like_a_literal(value)) {
        return invalid("the value of " + std::string(key) + ": " + literal.error().message);
    }
    Node text;
    text.kind = Node::Kind::string;
    text.text = value;
    // What is no UTF-8 is no text.
    if (!parse_literal(to_literal(text))) {
        return invalid("the value of " + std::string(key) + " is not valid text");
    }
    return text;
}

/// The part of `key` that already is a value; empty when there is none.
std::string value_above(const core::Document& document, const std::string& key) {
    std::vector<std::string> parts = split_key(key);
    for (parts.pop_back(); !parts.empty(); parts.pop_back()) {
        std::string above = join_key(parts);
        if (document.count(above) != 0) return above;
    }
    return {};
}

}  // namespace

Result<std::vector<core::Change>> set_changes(const core::Document& document, std::string_view key,
                                              std::string_view value) {
    const auto name = canonical_key(key);
    if (!name.ok()) return name.error();
    const auto node = read_value(*name, value);
    if (!node.ok()) return node.error();
    if (const std::string above = value_above(document, *name); !above.empty()) {
        return invalid(above + " is a value, so " + *name + " cannot be set below it");
    }
    const core::Document old = subset(document, *name);
    const bool was_table = !old.empty() && old.count(*name) == 0;
    if (node->kind != Node::Kind::table) {
        if (was_table) {
            return invalid(*name +
                           " is a table, so it cannot be set to a single value; set a key "
                           "below it or unset it first");
        }
        return std::vector<core::Change>{{*name, to_literal(*node)}};
    }
    Problems problems;
    core::Document fresh;
    const auto flat = to_document(*node, Source::from_text({}, "value"), problems);
    for (const auto& [below, literal] : flat.document) {
        const auto full = canonical_key(*name + "." + below);
        if (!full.ok()) return full.error();
        fresh.emplace(*full, literal);
    }
    if (!problems.empty()) return invalid(problems.list().front().text);
    std::vector<core::Change> changes;
    for (const auto& [gone, literal] : old) {
        if (fresh.count(gone) == 0) changes.push_back({gone, std::nullopt});
    }
    for (const auto& [now, literal] : fresh) changes.push_back({now, literal});
    return changes;
}

Result<std::vector<core::Change>> unset_changes(const core::Document& document,
                                                std::string_view key) {
    const auto name = canonical_key(key);
    if (!name.ok()) return name.error();
    std::vector<core::Change> changes;
    for (const auto& [gone, literal] : subset(document, *name)) {
        changes.push_back({gone, std::nullopt});
    }
    if (changes.empty()) {
        std::vector<std::string> known;
        for (const auto& [existing, literal] : document) known.push_back(existing);
        const std::string nearest = nearest_name(*name, known);
        return invalid("there is no key " + *name +
                       (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
    }
    return changes;
}

}  // namespace umbra::config
