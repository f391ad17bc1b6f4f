#include "json_body.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

namespace umbra::admin {
namespace {

namespace json = boost::json;
using boost::system::error_code;

/// Where in the body, for people.
std::string place(const std::string& body, std::size_t offset) {
    std::size_t line = 1;
    std::size_t column = 1;
    for (std::size_t i = 0; i < offset && i < body.size(); ++i) {
        column = body[i] == '\n' ? 1 : column + 1;
        if (body[i] == '\n') ++line;
    }
    return fmt::format("line {}, column {}", line, column);
}

/// Watches a parse for keys that occur twice in one object, which json::value would not keep.
struct DuplicateHandler {
    static constexpr std::size_t max_object_size = ~std::size_t{0};
    static constexpr std::size_t max_array_size = ~std::size_t{0};
    static constexpr std::size_t max_key_size = ~std::size_t{0};
    static constexpr std::size_t max_string_size = ~std::size_t{0};

    std::vector<std::set<std::string>> open;
    std::string key;
    std::string duplicate;

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        open.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t, error_code&) {
        open.pop_back();
        return true;
    }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t, error_code&) { return true; }
    bool on_key_part(json::string_view part, std::size_t, error_code&) {
        key.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view part, std::size_t, error_code& code) {
        key.append(part.data(), part.size());
        if (!open.back().insert(key).second) {
            duplicate = key;
            code = json::error::not_exact;  // any error: it ends the parse here
            return false;
        }
        key.clear();
        return true;
    }
    bool on_string_part(json::string_view, std::size_t, error_code&) { return true; }
    bool on_string(json::string_view, std::size_t, error_code&) { return true; }
    bool on_number_part(json::string_view, error_code&) { return true; }
    bool on_int64(std::int64_t, json::string_view, error_code&) { return true; }
    bool on_uint64(std::uint64_t, json::string_view, error_code&) { return true; }
    bool on_double(double, json::string_view, error_code&) { return true; }
    bool on_bool(bool, error_code&) { return true; }
    bool on_null(error_code&) { return true; }
    bool on_comment_part(json::string_view, error_code&) { return true; }
    bool on_comment(json::string_view, error_code&) { return true; }
};

Result<Done> check_syntax(const std::string& body) {
    json::basic_parser<DuplicateHandler> parser{json::parse_options{}};
    error_code code;
    const std::size_t used = parser.write_some(false, body.data(), body.size(), code);
    if (!parser.handler().duplicate.empty()) {
        return Error{Errc::invalid, fmt::format("the field \"{}\" is given twice ({})",
                                                parser.handler().duplicate, place(body, used))};
    }
    if (!code && body.find_first_not_of(" \t\r\n", used) != std::string::npos) {
        code = json::error::extra_data;
    }
    if (code) {
        return Error{Errc::invalid, fmt::format("the body is not valid JSON: {} at {}",
                                                code.message(), place(body, used))};
    }
    return Done{};
}

}  // namespace

Result<json::object> parse_object(const std::string& body) {
    if (body.find_first_not_of(" \t\r\n") == std::string::npos) return json::object{};
    if (const Result<Done> syntax = check_syntax(body); !syntax) return syntax.error();
    error_code code;
    json::value value = json::parse(body, code);
    if (code) return Error{Errc::invalid, "the body is not valid JSON: " + code.message()};
    if (!value.is_object()) {
        return Error{Errc::invalid, "the body must be a JSON object, for example {}"};
    }
    return std::move(value.get_object());
}

std::string Fields::label(std::string_view name) const {
    return fmt::format("\"{}{}\"", where_, name);
}

const json::value* Fields::find(std::string_view name) {
    known_.emplace(name);
    const json::value* const value = object_.if_contains(json::string_view{name});
    return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::string> Fields::text(std::string_view name) {
    const json::value* const value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) {
        complain(label(name) + " must be a string");
        return std::nullopt;
    }
    return std::string{value->get_string()};
}

std::string Fields::required_text(std::string_view name) {
    if (find(name) == nullptr) {
        complain(label(name) + " is missing: a string");
        return {};
    }
    return text_or_empty(name);
}

bool Fields::flag(std::string_view name) {
    const json::value* const value = find(name);
    if (value == nullptr) return false;
    if (!value->is_bool()) {
        complain(label(name) + " must be true or false");
        return false;
    }
    return value->get_bool();
}

json::array Fields::required_list(std::string_view name) {
    const json::value* const value = find(name);
    if (value == nullptr || !value->is_array()) {
        complain(label(name) + (value == nullptr ? " is missing: a list" : " must be a list"));
        return {};
    }
    return value->get_array();
}

std::optional<std::string> Fields::required_text_or_null(std::string_view name) {
    if (!object_.contains(json::string_view{name})) {
        known_.emplace(name);
        complain(label(name) +
                 " is missing: a TOML literal as a string, or null to remove the key");
        return std::nullopt;
    }
    return text(name);
}

std::vector<std::string> Fields::mistakes() {
    for (const auto& field : object_) {
        const std::string_view name{field.key().data(), field.key().size()};
        if (known_.contains(name)) continue;
        std::string all;
        for (const std::string& known : known_) {
            all += (all.empty() ? "\"" : ", \"") + known + "\"";
        }
        complain(fmt::format("{} is not known here; {}", label(name),
                             all.empty() ? "no field is" : "known are " + all));
    }
    return std::move(mistakes_);
}

}  // namespace umbra::admin
