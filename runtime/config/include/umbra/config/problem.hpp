#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

/// Place in a file, both counted from 1; columns count characters, not bytes. Line 0 = no place.
struct Position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;

    auto operator<=>(const Position&) const = default;
};

/// One mistake of a user, with all that is needed to mend it.
struct Problem {
    std::string file;  ///< As the user named it; empty when the text did not come from a file.
    Position at;
    std::string key;          ///< Dotted key that it is about, where there is one.
    std::string text;         ///< One sentence: what was found, what is allowed.
    std::string help;         ///< The remedy, or empty.
    std::string source_line;  ///< The line at `at.line`; empty where it must not be shown.

    bool operator==(const Problem&) const = default;
};

/// `file:line:column: error: text`, the source line, a caret below it, and `help: ...`; without a
/// place `key: error: text`. Control characters of the file are not passed on to the terminal.
[[nodiscard]] std::string render(const Problem& problem);

/// Everything that is wrong, in the order of the file.
///
/// Keeps the first `kept_max` mistakes that are reported and counts the others, so that a hostile
/// file cannot make an error message of unbounded size.
///
/// Threads: none; one owner.
class Problems {
public:
    static constexpr std::size_t kept_max = 100;

    void add(Problem problem);
    void add(const Problems& others);

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    /// All that were reported, kept or not.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// Sorted by file and position.
    [[nodiscard]] const std::vector<Problem>& list() const noexcept { return list_; }

    /// All of them as text for a terminal, ending in a newline; empty without problems.
    [[nodiscard]] std::string render() const;
    /// One line each: `file:line:column: error: text (help)`.
    [[nodiscard]] std::vector<std::string> lines() const;

private:
    std::vector<Problem> list_;
    std::size_t count_ = 0;
};

/// The known name that a user most likely meant: at most a third of its letters differ (insert,
/// drop, replace, swap of neighbours; case does not count). Empty when none is that near.
[[nodiscard]] std::string nearest_name(std::string_view word,
                                       const std::vector<std::string>& known);

/// `did you mean "address"?`, or `known are: "a", "b"`; what to put in `Problem::help`.
[[nodiscard]] std::string suggest(std::string_view word, const std::vector<std::string>& known);

/// A word as it is shown inside an error text: in double quotes, escaped, cut at a readable length.
[[nodiscard]] std::string in_quotes(std::string_view word);

}  // namespace umbra::config
