#include "reader.hpp"

#include "literal.hpp"
#include <umbra/config/values.hpp>

#include <algorithm>
#include <filesystem>

namespace umbra::config {

namespace {

std::string type_phrase(const Key& key) {
    switch (key.type) {
        case Type::string:
            return "a string";
        case Type::integer:
            return "an integer";
        case Type::boolean:
            return "true or false";
        case Type::number:
            return "a number";
        case Type::duration:
            return "a duration such as \"150ms\" or \"2s\"";
        case Type::size:
            return "a size such as 4096 or \"64KiB\"";
        case Type::endpoint:
        case Type::listen:
            return "an endpoint \"host:port\"";
        case Type::endpoint_range:
        case Type::listen_range:
            return "an endpoint \"host:port\" or \"host:first-last\"";
        case Type::path:
            return "a path";
        case Type::url:
            return "a URL such as \"tcp://127.0.0.1:7401\"";
        case Type::name:
            return "a name";
        case Type::string_list:
            return "a list of strings";
        case Type::path_list:
            return "a list of paths";
        case Type::endpoint_ranges:
            return "an endpoint \"host:port\" or \"host:first-last\", or a list of such";
        case Type::address_list:
            return "one or a list of \"unix:/path\" and \"https://host:port\"";
        case Type::table:
            return "a table";
        case Type::choice:
            break;
    }
    std::string out = key.choices.size() == 1 ? "" : "one of ";
    for (std::size_t i = 0; i < key.choices.size(); ++i) {
        out += (i == 0 ? "" : ", ") + in_quotes(key.choices[i]);
    }
    return out;
}

/// `the string "2"`, `the integer 9`, `an array`
std::string found(const Key& key, const Node& node) {
    const std::string kind = to_string(node.kind);
    if (node.kind == Node::Kind::array || node.kind == Node::Kind::integer) {
        if (node.kind == Node::Kind::array) return "an array";
        if (key.secret) return "an integer";
    }
    if (node.kind == Node::Kind::table || key.secret) return "a " + kind;
    if (node.kind == Node::Kind::string) return "the string " + in_quotes(node.text);
    return "the " + kind + " " + to_literal(node);
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

std::string describe(const Key& key) {
    const std::string phrase = type_phrase(key);
    if (!key.min.empty() && !key.max.empty()) return phrase + " from " + key.min + " to " + key.max;
    if (!key.min.empty()) return phrase + ", at least " + key.min;
    if (!key.max.empty()) return phrase + ", at most " + key.max;
    return phrase;
}

std::optional<Node> plain_literal(std::string_view literal) {
    constexpr std::size_t digits_max = 18;  // They always fit.
    Node node;
    if (literal == "true" || literal == "false") {
        node.kind = Node::Kind::boolean;
        node.boolean = literal == "true";
        return node;
    }
    if (literal.size() >= 2 && literal.front() == '"' && literal.back() == '"') {
        const std::string_view text = literal.substr(1, literal.size() - 2);
        const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
            return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        });
        if (!plain) return std::nullopt;
        node.kind = Node::Kind::string;
        node.text = text;
        return node;
    }
    const bool digits =
        !literal.empty() && literal.size() <= digits_max &&
        std::all_of(literal.begin(), literal.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || (literal.size() > 1 && literal.front() == '0')) return std::nullopt;
    node.kind = Node::Kind::integer;
    for (const char c : literal) node.integer = node.integer * 10 + (c - '0');
    return node;
}

std::optional<Node> parse_literal(std::string_view literal) {
    if (auto plain = plain_literal(literal)) return plain;
    // A line end could bring in a second key.
    Problems problems;
    const auto root = parse(Source::from_text("v = " + std::string(literal), "literal"), problems);
    if (!root || root->entries.size() != 1 || root->entries.front().key != "v") return std::nullopt;
    return root->entries.front().value;
}

std::optional<Value> Reader::read(const Key& key, const Node& node) {
    Value value;
    value.type = key.type;
    value.given = true;
    value.at = node.at;
    if (!read_into(key, node, value) || !in_range(key, node, value)) return std::nullopt;
    return value;
}

std::optional<Value> Reader::read_default(const Key& key) {
    const auto node = parse_literal(key.def);
    Value value;
    value.type = key.type;
    if (!node || !read_into(key, *node, value)) return std::nullopt;
    return value;
}

bool Reader::read_into(const Key& key, const Node& node, Value& value) {
    using Kind = Node::Kind;
    switch (key.type) {
        case Type::integer:
            value.integer = node.integer;
            return node.kind == Kind::integer || fail(key, node);
        case Type::boolean:
            value.integer = node.boolean ? 1 : 0;
            return node.kind == Kind::boolean || fail(key, node);
        case Type::number:
            value.number =
                node.kind == Kind::integer ? static_cast<double>(node.integer) : node.number;
            return node.kind == Kind::number || node.kind == Kind::integer || fail(key, node);
        case Type::size:
            if (node.kind != Kind::integer) return read_text(key, node, value);
            value.integer = node.integer;
            return node.integer >= 0 || fail(key, node, "a size is not negative");
        case Type::string_list:
        case Type::path_list:
        case Type::endpoint_ranges:
        case Type::address_list:
            return read_list(key, node, value);
        case Type::table:
            value.node = node;
            return node.kind == Kind::table || fail(key, node);
        default:
            return read_text(key, node, value);
    }
}

bool Reader::read_text(const Key& key, const Node& node, Value& value) {
    if (node.kind != Node::Kind::string) return fail(key, node);
    value.text = node.text;
    const auto take = [&](auto result, auto&& use) {
        if (!result.ok()) return fail(key, node, result.error().message);
        use(*result);
        return true;
    };
    const auto keep_endpoint = [&](const Endpoint& e) {
        value.endpoint = {e.host, e.port, e.port};
        value.text = to_string(e);
    };
    const auto keep_range = [&](const EndpointRange& r) {
        value.endpoint = r;
        value.text = to_string(r);
    };
    switch (key.type) {
        case Type::duration:
            return take(parse_duration(node.text), [&](Duration d) { value.integer = d.count(); });
        case Type::size:
            return take(parse_size(node.text), [&](std::int64_t n) { value.integer = n; });
        case Type::endpoint:
            return take(parse_endpoint(node.text), keep_endpoint);
        case Type::listen:
            return take(parse_endpoint(node.text, PortZero::allowed), keep_endpoint);
        case Type::endpoint_range:
            return take(parse_endpoint_range(node.text), keep_range);
        case Type::listen_range:
            return take(parse_endpoint_range(node.text, PortZero::allowed), keep_range);
        case Type::url:
            return take(parse_url(node.text), [](const std::string&) {});
        case Type::path:
            return read_path(key, node, value.text);
        case Type::name: {
            const std::string wrong = name_fault(node.text);
            return wrong.empty() || fail(key, node, wrong);
        }
        case Type::choice:
            return std::count(key.choices.begin(), key.choices.end(), node.text) != 0 ||
                   fail(key, node);
        default:
            return true;
    }
}

bool Reader::read_list(const Key& key, const Node& node, Value& value) {
    std::vector<const Node*> items;
    if (node.kind == Node::Kind::array) {
        for (const Node& item : node.items) items.push_back(&item);
    } else if ((key.type == Type::address_list || key.type == Type::endpoint_ranges) &&
               node.kind == Node::Kind::string) {
        items.push_back(&node);
    } else {
        return fail(key, node);
    }
    for (const Node* item : items) {
        if (item->kind != Node::Kind::string) return fail(key, *item);
        std::string text = item->text;
        if (key.type == Type::path_list && !read_path(key, *item, text)) return false;
        if (key.type == Type::address_list) {
            const auto address = parse_listen_address(text);
            if (!address.ok()) return fail(key, *item, address.error().message);
            value.addresses.push_back(*address);
        }
        if (key.type == Type::endpoint_ranges) {
            const auto range = parse_endpoint_range(text);
            if (!range.ok()) return fail(key, *item, range.error().message);
            value.endpoints.push_back(*range);
        }
        value.list.push_back(std::move(text));
    }
    return true;
}

bool Reader::read_path(const Key& key, const Node& node, std::string& out) {
    const std::filesystem::path path(node.text);
    if (node.text.empty()) return fail(key, node, "a path must not be empty");
    if (has_control(node.text)) return fail(key, node, "a path has no control characters");
    if (path.is_relative() && origin_.paths_absolute) {
        return fail(key, node, "it must be absolute here, because both instances read it");
    }
    const bool relative = path.is_relative() && origin_.source != nullptr;
    out = (relative ? origin_.source->directory() / path : path).lexically_normal().string();
    return true;
}

bool Reader::in_range(const Key& key, const Node& node, const Value& value) {
    const auto outside = [&](const std::string& literal, bool below) {
        if (literal.empty()) return false;
        const auto limit_node = parse_literal(literal);
        Value limit;
        const Key bare{.name = key.name, .type = key.type};
        // A broken limit is the schema's fault, which option_keys() reports; not the user's.
        if (!limit_node || !Reader(origin_).read_into(bare, *limit_node, limit)) return false;
        if (key.type == Type::number) {
            // Not the same as the opposite comparison: NaN is outside of every range.
            return below ? !(value.number >= limit.number) : !(value.number <= limit.number);
        }
        return below ? value.integer < limit.integer : value.integer > limit.integer;
    };
    if (outside(key.min, true) || outside(key.max, false)) return fail(key, node);
    return true;
}

bool Reader::fail(const Key& key, const Node& node, std::string_view detail) {
    fault_.at = node.at;
    fault_.text = "must be " + describe(key) + ", found " + found(key, node);
    // The parsers' own "must be ..." says no more than the description.
    if (!detail.empty() && detail.substr(0, 7) != "must be") {
        fault_.text += ": " + std::string(detail);
    }
    fault_.help = key.help;
    if (key.type == Type::choice && node.kind == Node::Kind::string && !key.secret) {
        const std::string nearest = nearest_name(node.text, key.choices);
        if (!nearest.empty()) fault_.help = "did you mean " + in_quotes(nearest) + "?";
    }
    return false;
}

}  // namespace umbra::config
