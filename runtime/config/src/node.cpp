#include <umbra/config/node.hpp>

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

namespace umbra::config {

namespace {

Position position(const toml::source_position& at) {
    return {static_cast<std::uint32_t>(at.line), static_cast<std::uint32_t>(at.column)};
}

template <class T>
std::string datetime_text(const T& value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

/// Depth is bounded: scan() limits the parts of keys and the nesting of values.
Node convert(const toml::node& from) {
    Node to;
    to.at = position(from.source().begin);
    switch (from.type()) {
        case toml::node_type::string:
            to.kind = Node::Kind::string;
            to.text = from.as_string()->get();
            break;
        case toml::node_type::integer:
            to.kind = Node::Kind::integer;
            to.integer = from.as_integer()->get();
            break;
        case toml::node_type::floating_point:
            to.kind = Node::Kind::number;
            to.number = from.as_floating_point()->get();
            break;
        case toml::node_type::boolean:
            to.kind = Node::Kind::boolean;
            to.boolean = from.as_boolean()->get();
            break;
        case toml::node_type::date:
            to.kind = Node::Kind::datetime;
            to.text = datetime_text(from.as_date()->get());
            break;
        case toml::node_type::time:
            to.kind = Node::Kind::datetime;
            to.text = datetime_text(from.as_time()->get());
            break;
        case toml::node_type::date_time:
            to.kind = Node::Kind::datetime;
            to.text = datetime_text(from.as_date_time()->get());
            break;
        case toml::node_type::array:
            to.kind = Node::Kind::array;
            for (const toml::node& item : *from.as_array()) to.items.push_back(convert(item));
            break;
        case toml::node_type::table:
            for (auto&& [key, value] : *from.as_table()) {
                to.entries.push_back(
                    {std::string(key.str()), position(key.source().begin), convert(value)});
            }
            break;
        case toml::node_type::none:
            break;
    }
    return to;
}

/// "Error while parsing array: expected comma" -> "invalid TOML in array: expected comma"
std::string sentence(std::string_view description) {
    constexpr std::string_view lead = "Error while parsing ";
    if (description.substr(0, lead.size()) == lead) {
        return "invalid TOML in " + std::string(description.substr(lead.size()));
    }
    return "invalid TOML: " + std::string(description);
}

}  // namespace

const Entry* Node::find(std::string_view key) const {
    const auto found =
        std::lower_bound(entries.begin(), entries.end(), key,
                         [](const Entry& entry, std::string_view k) { return entry.key < k; });
    return found != entries.end() && found->key == key ? &*found : nullptr;
}

Entry& Node::get(std::string_view key) {
    const auto found =
        std::lower_bound(entries.begin(), entries.end(), key,
                         [](const Entry& entry, std::string_view k) { return entry.key < k; });
    if (found != entries.end() && found->key == key) return *found;
    return *entries.insert(found, Entry{std::string(key), {}, {}});
}

const char* to_string(Node::Kind kind) {
    switch (kind) {
        case Node::Kind::string:
            return "string";
        case Node::Kind::integer:
            return "integer";
        case Node::Kind::number:
            return "float";
        case Node::Kind::boolean:
            return "boolean";
        case Node::Kind::datetime:
            return "date-time";
        case Node::Kind::array:
            return "array";
        case Node::Kind::table:
            return "table";
    }
    return "value";
}

std::optional<Node> parse(const Source& source, Problems& problems) {
    if (!scan(source, problems)) return std::nullopt;
    try {
        const toml::table table = toml::parse(std::string_view(source.text()));
        return convert(table);
    } catch (const toml::parse_error& error) {
        const toml::source_position at = error.source().begin;
        problems.add(source.problem(position(at), sentence(error.description())));
        return std::nullopt;
    }
}

}  // namespace umbra::config
