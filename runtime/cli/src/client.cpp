#include "client.hpp"

#include <umbra/base/http_client.hpp>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <cctype>
#include <cstdio>

namespace umbra::cli {
namespace {

namespace json = boost::json;

ExitStatus exit_of(const Error& error) {
    switch (error.code) {
        case Errc::unavailable:
        case Errc::denied:
        case Errc::timeout:
        case Errc::closed:
            return exit_unreachable;
        case Errc::invalid:
        case Errc::unsupported:
            return exit_usage;
        default:
            return exit_failed;
    }
}

ExitStatus exit_of(unsigned http_status) {
    switch (http_status) {
        case 200:
        case 202:
            return exit_done;
        case 400:
            return exit_usage;
        case 409:
            return exit_refused;
        default:
            return exit_failed;
    }
}

Answer ask(const Connection& connection, const base::HttpRequest& request, Duration timeout) {
    Answer answer;
    auto response = base::http_request(connection.address, request, timeout);
    if (!response) {
        answer.status = exit_of(response.error());
        answer.error = response.error().message;
        if (answer.status == exit_unreachable) {
            answer.details.emplace_back(
                "is the instance running? another address is named with --admin or UMBRA_ADMIN");
        }
        return answer;
    }
    boost::system::error_code code;
    json::value value = json::parse(response->body, code);
    if (code || !value.is_object()) {
        answer.error = fmt::format("what answers at {} is not an Umbra instance (HTTP status {})",
                                   connection.address, response->status);
        return answer;
    }
    answer.status = exit_of(response->status);
    answer.body = std::move(value.get_object());
    answer.raw = std::move(response->body);
    if (!answer.ok()) {
        answer.error = text_of(answer.body, "error");
        answer.details = texts_of(answer.body, "details");
    }
    return answer;
}

const json::value* member(const json::object& object, std::string_view name) {
    return object.if_contains(json::string_view{name});
}

}  // namespace

Answer get(const Connection& connection, const std::string& target, Duration timeout) {
    return ask(connection, {"GET", target}, timeout);
}

Answer post(const Connection& connection, const std::string& target, const json::object& body) {
    return ask(connection, {"POST", target, json::serialize(body)}, operation_timeout);
}

int show_reply(const Connection& connection, const Answer& answer) {
    if (!answer.ok()) return answer.report();
    const bool provisional = text_of(answer.body, "outcome") == "provisional";
    std::string message = text_of(answer.body, "message");
    const std::string revision = text_of(answer.body, "revision");
    if (!revision.empty() && message.find(revision) == std::string::npos) {
        message = message.empty() ? "revision " + revision
                                  : fmt::format("{} (revision {})", message, revision);
    }
    if (connection.json) {
        print_line(answer.raw);
    } else {
        const std::string text = text_of(answer.body, "text");
        if (!text.empty()) print_line(text);
        // A script that wants the text gets nothing else on stdout.
        std::fflush(stdout);
        std::FILE* const out = text.empty() ? stdout : stderr;
        if (!message.empty() && !provisional) std::fprintf(out, "%s\n", message.c_str());
        for (const std::string& line : texts_of(answer.body, "details")) {
            std::fprintf(out, "  %s\n", line.c_str());
        }
    }
    if (!provisional) return exit_done;
    print_warning(message);
    return exit_provisional;
}

int post_and_show(const Connection& connection, const std::string& target,
                  const json::object& body) {
    return show_reply(connection, post(connection, target, body));
}

std::string percent_encode(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || std::string_view{"-._~"}.find(c) != std::string_view::npos) {
            encoded += c;
        } else {
            encoded += fmt::format("%{:02X}", static_cast<unsigned>(byte));
        }
    }
    return encoded;
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* const value = member(object, name);
    return value != nullptr && value->is_string() ? std::string{value->get_string()}
                                                  : std::string{};
}

std::optional<double> number_of(const json::object& object, std::string_view name) {
    const json::value* const value = member(object, name);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->to_number<double>();
}

bool flag_of(const json::object& object, std::string_view name) {
    const json::value* const value = member(object, name);
    return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object& object_of(const json::object& object, std::string_view name) {
    static const json::object none;
    const json::value* const value = member(object, name);
    return value != nullptr && value->is_object() ? value->get_object() : none;
}

std::vector<json::object> list_of(const json::object& object, std::string_view name) {
    std::vector<json::object> list;
    const json::value* const value = member(object, name);
    if (value == nullptr || !value->is_array()) return list;
    for (const json::value& item : value->get_array()) {
        if (item.is_object()) list.push_back(item.get_object());
    }
    return list;
}

std::vector<std::string> texts_of(const json::object& object, std::string_view name) {
    std::vector<std::string> list;
    const json::value* const value = member(object, name);
    if (value == nullptr || !value->is_array()) return list;
    for (const json::value& item : value->get_array()) {
        if (item.is_string()) list.emplace_back(item.get_string());
    }
    return list;
}

}  // namespace umbra::cli
