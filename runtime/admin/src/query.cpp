#include "query.hpp"

#include <fmt/format.h>

#include <optional>

namespace umbra::admin {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string> decode(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            plain += ' ';
        } else if (text[i] != '%') {
            plain += text[i];
        } else {
            const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            plain += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return plain;
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
    const std::size_t mark = target.find('?');
    Target result{std::string{target.substr(0, mark)}, {}};
    if (mark == std::string_view::npos) return result;
    std::string_view rest = target.substr(mark + 1);
    while (!rest.empty()) {
        const std::size_t end = rest.find('&');
        const std::string_view pair = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        const auto name = decode(pair.substr(0, equals));
        const auto value =
            decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1));
        if (!name || !value) {
            return Error{Errc::invalid,
                         fmt::format("\"{}\" in the query holds a broken %-escape", pair)};
        }
        if (!result.query.emplace(*name, *value).second) {
            return Error{Errc::invalid,
                         fmt::format("the query parameter \"{}\" is given twice", *name)};
        }
    }
    return result;
}

}  // namespace umbra::admin
