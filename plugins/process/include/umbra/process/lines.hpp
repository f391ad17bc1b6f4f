#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace umbra::process {

/// Longest line that is kept; of a longer one the beginning is.
inline constexpr std::size_t line_bytes_max = 1024;
/// Lines that are remembered of one process.
inline constexpr std::size_t tail_lines_max = 16;

/// One line of printable text, at most `most` bytes: control characters become blanks, blanks at
/// the ends go, a longer text ends in "...".
std::string one_line(std::string_view text, std::size_t most = line_bytes_max);

/// Takes bytes as they come and gives lines: never more than one line of `line_bytes_max` is held.
class LineSplitter {
public:
    using OnLine = std::function<void(std::string)>;

    /// Empty lines are left out.
    void feed(std::string_view bytes, const OnLine& on_line);
    /// The last line may have no end.
    void finish(const OnLine& on_line);

private:
    void emit(const OnLine& on_line);

    std::string line_;
};

/// The last lines of a process, for whoever asks why it ended.
class Tail {
public:
    void add(std::string line) {
        lines_.push_back(std::move(line));
        if (lines_.size() > tail_lines_max) lines_.pop_front();
    }
    void clear() { lines_.clear(); }
    [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }
    /// Empty when there is none.
    [[nodiscard]] std::string last() const {
        return lines_.empty() ? std::string{} : lines_.back();
    }

private:
    std::deque<std::string> lines_;
};

}  // namespace umbra::process
