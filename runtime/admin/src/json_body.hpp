#pragma once

#include <umbra/sdk/result.hpp>

#include <boost/json/object.hpp>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::admin {

/// Parses a request body that must be one JSON object; an empty body is an empty object. Fields
/// that occur twice in one object are refused, whatever parser the sender believes in.
/// @return `invalid` with line and column.
Result<boost::json::object> parse_object(const std::string& body);

/// Takes known fields out of an object and collects everything that is wrong with it, so that the
/// sender learns of all mistakes at once. A null counts as absent.
class Fields {
public:
    /// @param where  Stands in front of a field in messages: "" or "changes[3]."
    Fields(boost::json::object object, std::string where)
        : object_(std::move(object)), where_(std::move(where)) {}

    std::optional<std::string> text(std::string_view name);
    std::string text_or_empty(std::string_view name) { return text(name).value_or(""); }
    std::string required_text(std::string_view name);
    bool flag(std::string_view name);
    boost::json::array required_list(std::string_view name);
    /// Literal of a change: a string, or null for "remove the key". The field must be there.
    std::optional<std::string> required_text_or_null(std::string_view name);

    void complain(std::string sentence) { mistakes_.push_back(std::move(sentence)); }
    /// What is wrong, unknown fields included. Call it after everything was taken.
    [[nodiscard]] std::vector<std::string> mistakes();

private:
    const boost::json::value* find(std::string_view name);
    [[nodiscard]] std::string label(std::string_view name) const;

    boost::json::object object_;
    std::string where_;
    std::set<std::string, std::less<>> known_;
    std::vector<std::string> mistakes_;
};

}  // namespace umbra::admin
