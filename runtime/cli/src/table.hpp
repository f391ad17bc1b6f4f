#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::cli {

/// Rows of text in aligned columns, two spaces apart, for a terminal.
class Table {
public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}

    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] bool empty() const noexcept { return rows_.size() < 2; }
    /// With a newline after every row; columns that are empty in every row are left out.
    [[nodiscard]] std::string render() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

/// Control characters replaced: what another host calls itself must not drive this terminal.
std::string printable(std::string_view text);

/// "180 us", "12 ms", "3.2 s", "5 min 10 s", "2 h 3 min", "4 d 1 h"
std::string human_time(double microseconds);

}  // namespace umbra::cli
