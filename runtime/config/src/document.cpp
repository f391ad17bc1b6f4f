#include "literal.hpp"
#include "reader.hpp"
#include <umbra/config/shared_document.hpp>

#include <algorithm>
#include <tuple>

namespace umbra::config {

namespace {

/// Flattens a tree into canonical keys and literals.
class Flattener {
public:
    Flattener(const Source& source, Problems& problems) : source_(source), problems_(problems) {}

    void table(const Node& node, const std::string& prefix, std::size_t depth) {
        for (const Entry& entry : node.entries) {
            const std::string key = (prefix.empty() ? "" : prefix + ".") + key_literal(entry.key);
            if (depth == key_parts_max || key.size() > key_bytes_max) {
                problems_.add(source_.problem(entry.at,
                                              "the key " + in_quotes(key) + " has more than " +
                                                  std::to_string(key_parts_max) + " parts or " +
                                                  std::to_string(key_bytes_max) +
                                                  " bytes with its tables",
                                              "use fewer levels"));
            } else if (entry.value.kind == Node::Kind::table) {
                table(entry.value, key, depth + 1);
            } else {
                out_.document.emplace(key, to_literal(entry.value));
                out_.at.emplace(key, entry.at);
            }
        }
    }

    [[nodiscard]] ParsedDocument done() { return std::move(out_); }

private:
    const Source& source_;
    Problems& problems_;
    ParsedDocument out_;
};

void report(Problems& problems, const std::string& key, std::string text) {
    Problem problem;
    problem.key = key;
    problem.text = std::move(text);
    problems.add(std::move(problem));
}

/// Puts one literal into the tree. @return what is wrong, or empty.
std::string plant(Node& root, const std::vector<std::string>& parts, const std::string& literal) {
    Node* node = &root;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (node->kind != Node::Kind::table) {
            return "has keys below it and a value, but can have only one of them";
        }
        const bool last = i + 1 == parts.size();
        if (last && node->find(parts[i]) != nullptr) {
            return "has a value and keys below it, but can have only one of them";
        }
        node = &node->get(parts[i]).value;
    }
    auto value = parse_literal(literal);
    if (!value) return "does not hold a TOML value";
    // Tables of the document are keys; a table as a literal would be a second way to say so.
    if (value->kind == Node::Kind::table) return "holds a table as a value";
    *node = std::move(*value);
    return {};
}

void forget_places(Node& node) {
    node.at = {};
    for (Node& item : node.items) forget_places(item);
    for (Entry& entry : node.entries) {
        entry.at = {};
        forget_places(entry.value);
    }
}

struct Line {
    std::vector<std::string> table;
    std::string key, literal;
};

}  // namespace

ParsedDocument to_document(const Node& root, const Source& source, Problems& problems) {
    Flattener flattener(source, problems);
    flattener.table(root, "", 0);
    return flattener.done();
}

std::optional<ParsedDocument> parse_document(const Source& source, Problems& problems) {
    const auto root = parse(source, problems);
    if (!root) return std::nullopt;
    const std::size_t before = problems.count();
    ParsedDocument document = to_document(*root, source, problems);
    if (problems.count() != before) return std::nullopt;
    return document;
}

Node to_tree(const core::Document& document, Problems& problems) {
    Node root;
    for (const auto& [key, literal] : document) {
        const std::vector<std::string> parts = split_key(key);
        if (parts.size() > key_parts_max) {
            report(problems, key, "has more than " + std::to_string(key_parts_max) + " parts");
            continue;
        }
        std::string fault = plant(root, parts, literal);
        if (!fault.empty()) report(problems, key, std::move(fault));
    }
    forget_places(root);
    return root;
}

std::string to_toml(const core::Document& document) {
    std::vector<Line> lines;
    for (const auto& [key, literal] : document) {
        std::vector<std::string> parts = split_key(key);
        std::string name = key_literal(parts.back());
        parts.pop_back();
        lines.push_back({std::move(parts), std::move(name), literal});
    }
    std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
        return std::tie(a.table, a.key) < std::tie(b.table, b.key);
    });
    std::string out;
    const std::vector<std::string>* current = nullptr;
    for (const Line& line : lines) {
        if ((current == nullptr && !line.table.empty()) ||
            (current != nullptr && *current != line.table)) {
            if (!out.empty()) out += '\n';
            out += "[" + join_key(line.table) + "]\n";
        }
        current = &line.table;
        out += line.key + " = " + line.literal + "\n";
    }
    return out;
}

core::Document subset(const core::Document& document, std::string_view key) {
    if (key.empty()) return document;
    core::Document out;
    const std::string dotted = std::string(key) + ".";
    if (const auto it = document.find(std::string(key)); it != document.end()) out.insert(*it);
    for (auto it = document.lower_bound(dotted);
         it != document.end() && it->first.compare(0, dotted.size(), dotted) == 0; ++it) {
        out.insert(out.end(), *it);
    }
    return out;
}

std::string diff_text(const core::Document& from, const core::Document& to) {
    std::string out;
    auto a = from.begin();
    auto b = to.begin();
    const auto line = [&out](char sign, const auto& entry) {
        out += std::string(1, sign) + " " + entry.first + " = " + entry.second + "\n";
    };
    while (a != from.end() || b != to.end()) {
        const bool only_a = b == to.end() || (a != from.end() && a->first < b->first);
        const bool only_b = a == from.end() || (b != to.end() && b->first < a->first);
        if (only_a) {
            line('-', *a++);
        } else if (only_b) {
            line('+', *b++);
        } else {
            if (a->second != b->second) line('-', *a), line('+', *b);
            ++a, ++b;
        }
    }
    return out;
}

}  // namespace umbra::config
