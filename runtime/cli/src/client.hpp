#pragma once

#include "exit_status.hpp"
#include <umbra/sdk/time.hpp>

#include <boost/json/object.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::cli {

inline constexpr std::string_view default_address = "unix:/run/umbra/admin.sock";

/// How to reach an instance and how to show what it says.
struct Connection {
    std::string address{default_address};
    bool json = false;
};

/// What an instance answered, or why it did not.
struct Answer {
    ExitStatus status = exit_failed;
    boost::json::object body;          ///< If `ok()`.
    std::string raw;                   ///< The same as it was sent.
    std::string error;                 ///< If not `ok()`: one sentence,
    std::vector<std::string> details;  ///< and what else was said.

    [[nodiscard]] bool ok() const noexcept { return status == exit_done; }
    /// Prints error and details. @return The exit status.
    [[nodiscard]] int report() const { return fail(status, error, details); }
};

/// Longer than the instance itself takes to give up.
inline constexpr Duration operation_timeout = std::chrono::seconds{150};
inline constexpr Duration status_timeout = std::chrono::seconds{10};

Answer get(const Connection& connection, const std::string& target,
           Duration timeout = operation_timeout);
Answer post(const Connection& connection, const std::string& target,
            const boost::json::object& body = {});

/// Posts, and shows what came of it: the text that was asked for, or else the message; with --json
/// the whole reply. @return The exit status.
int post_and_show(const Connection& connection, const std::string& target,
                  const boost::json::object& body = {});
int show_reply(const Connection& connection, const Answer& answer);

/// For a query: everything but letters, digits and -._~ as %XX.
std::string percent_encode(std::string_view text);

// Members of an answer; what is missing or of another type reads as empty, 0, false: the instance
// may be of another version.
std::string text_of(const boost::json::object& object, std::string_view name);
std::optional<double> number_of(const boost::json::object& object, std::string_view name);
bool flag_of(const boost::json::object& object, std::string_view name);
const boost::json::object& object_of(const boost::json::object& object, std::string_view name);
std::vector<boost::json::object> list_of(const boost::json::object& object, std::string_view name);
std::vector<std::string> texts_of(const boost::json::object& object, std::string_view name);

}  // namespace umbra::cli
