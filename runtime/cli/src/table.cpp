#include "table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace umbra::cli {
namespace {

/// Characters, not bytes: good enough for names and sentences.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    }));
}

}  // namespace

std::string printable(std::string_view text) {
    std::string clean;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        clean += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    return clean;
}

std::string Table::render() const {
    const std::size_t columns = rows_.front().size();
    std::vector<std::size_t> widths(columns, 0);
    std::vector<bool> used(columns, false);
    for (std::size_t r = 0; r < rows_.size(); ++r) {
        for (std::size_t c = 0; c < std::min(columns, rows_[r].size()); ++c) {
            widths[c] = std::max(widths[c], width(rows_[r][c]));
            if (r > 0 && !rows_[r][c].empty()) used[c] = true;
        }
    }
    std::string text;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t c = 0; c < std::min(columns, row.size()); ++c) {
            if (!used[c]) continue;
            const std::string cell = printable(row[c]);
            line += cell + std::string(widths[c] - width(cell) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string human_time(double microseconds) {
    if (microseconds < 1000) return fmt::format("{:.0f} us", microseconds);
    if (microseconds < 1e6) return fmt::format("{:.3g} ms", microseconds / 1e3);
    const double seconds = microseconds / 1e6;
    if (seconds < 60) return fmt::format("{:.3g} s", seconds);
    const auto whole = static_cast<long long>(seconds);
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
    return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

}  // namespace umbra::cli
