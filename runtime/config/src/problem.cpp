#include "utf8.hpp"
#include <umbra/config/problem.hpp>

#include <algorithm>
#include <cctype>
#include <tuple>

namespace umbra::config {

namespace {

constexpr std::size_t line_shown_max = 160;    ///< Characters of a source line in an error message.
constexpr std::size_t word_shown_max = 60;     ///< Characters of a word inside an error text.
constexpr std::size_t names_shown_max = 12;    ///< Known names listed in a help text.
constexpr std::size_t word_compared_max = 64;  ///< Longer words are not compared with known names.

/// Text as characters, what is not UTF-8 as U+FFFD.
std::u32string characters(std::string_view text) {
    std::u32string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = utf8_length(text, at);
        out.push_back(length == 0 ? U'\ufffd' : utf8_decode(text, at, length));
        at += length == 0 ? 1 : length;
    }
    return out;
}

void append_utf8(std::string& out, char32_t c) {
    const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xc0 | (c >> 6)), put(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put(0xe0 | (c >> 12)), put(0x80 | ((c >> 6) & 0x3f)), put(0x80 | (c & 0x3f));
    } else {
        put(0xf0 | (c >> 18)), put(0x80 | ((c >> 12) & 0x3f));
        put(0x80 | ((c >> 6) & 0x3f)), put(0x80 | (c & 0x3f));
    }
}

/// The line and below it the caret; of a long line the part around the caret.
void append_source(std::string& out, const Problem& problem) {
    const std::u32string line = characters(problem.source_line);
    const std::size_t column = std::min<std::size_t>(problem.at.column, line.size() + 1);
    const std::size_t caret = column == 0 ? 0 : column - 1;
    const std::size_t from = caret < line_shown_max * 3 / 4 ? 0 : caret - line_shown_max / 2;
    const std::size_t to = std::min(line.size(), from + line_shown_max);
    std::string shown = from == 0 ? "    " : "    ...";
    std::string below(shown.size(), ' ');
    for (std::size_t i = from; i < to; ++i) {
        const char32_t c = line[i];
        if (c == U'\t') {
            shown.push_back('\t');
        } else {
            append_utf8(shown, is_control(c) ? U'\ufffd' : c);
        }
        if (i < caret) below.push_back(c == U'\t' ? '\t' : ' ');
    }
    if (to < line.size()) shown += "...";
    out += shown + "\n" + below + "^\n";
}

/// Names, keys and texts may contain what a user wrote: nothing of it may steer a terminal.
std::string harmless(std::string_view text) {
    std::string out;
    for (const char32_t c : characters(text)) append_utf8(out, is_control(c) ? U'\ufffd' : c);
    return out;
}

std::string head(const Problem& problem) {
    std::string out = harmless(problem.file);
    if (problem.at.line != 0) {
        out += ":" + std::to_string(problem.at.line) + ":" + std::to_string(problem.at.column);
    } else if (!problem.key.empty()) {
        out += (out.empty() ? "" : ": ") + harmless(problem.key);
    }
    if (!out.empty()) out += ": ";
    return out + "error: " + harmless(problem.text);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

/// Edit distance with swaps of neighbours (optimal string alignment).
std::size_t distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        next[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            next[j] = std::min({replaced, row[j] + 1, next[j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                next[j] = std::min(next[j], before[j - 2] + 1);
            }
        }
        before.swap(row);
        row.swap(next);
    }
    return row[b.size()];
}

}  // namespace

std::string render(const Problem& problem) {
    std::string out = head(problem) + "\n";
    if (!problem.source_line.empty()) append_source(out, problem);
    if (!problem.help.empty()) out += "    help: " + harmless(problem.help) + "\n";
    return out;
}

void Problems::add(Problem problem) {
    ++count_;
    if (list_.size() >= kept_max) return;
    const auto place = [](const Problem& p) { return std::tie(p.file, p.at, p.key); };
    const auto behind =
        std::upper_bound(list_.begin(), list_.end(), problem,
                         [&](const Problem& a, const Problem& b) { return place(a) < place(b); });
    list_.insert(behind, std::move(problem));
}

void Problems::add(const Problems& others) {
    for (const Problem& problem : others.list_) add(problem);
    count_ += others.count_ - others.list_.size();
}

std::string Problems::render() const {
    std::string out;
    for (const Problem& problem : list_) out += config::render(problem);
    if (count_ > list_.size()) {
        out += "and " + std::to_string(count_ - list_.size()) + " more\n";
    }
    return out;
}

std::vector<std::string> Problems::lines() const {
    std::vector<std::string> out;
    for (const Problem& problem : list_) {
        out.push_back(head(problem) +
                      (problem.help.empty() ? "" : " (" + harmless(problem.help) + ")"));
    }
    if (count_ > list_.size()) {
        out.push_back("and " + std::to_string(count_ - list_.size()) + " more");
    }
    return out;
}

std::string nearest_name(std::string_view word, const std::vector<std::string>& known) {
    if (word.empty() || word.size() > word_compared_max) return {};
    const std::string wanted = lower(word);
    std::string best;
    std::size_t best_distance = word_compared_max;
    for (const std::string& name : known) {
        if (name.size() > word_compared_max) continue;
        const std::size_t allowed =
            std::max<std::size_t>(1, std::max(wanted.size(), name.size()) / 3);
        const std::size_t found = distance(wanted, lower(name));
        // A word of which every letter would have to change is not a misspelling.
        if (found > allowed || found >= name.size() || found >= best_distance) continue;
        best = name;
        best_distance = found;
    }
    return best;
}

std::string suggest(std::string_view word, const std::vector<std::string>& known) {
    const std::string nearest = nearest_name(word, known);
    if (!nearest.empty()) return "did you mean " + in_quotes(nearest) + "?";
    if (known.empty()) return {};
    std::string out = "known are ";
    for (std::size_t i = 0; i < known.size() && i < names_shown_max; ++i) {
        out += (i == 0 ? "" : ", ") + in_quotes(known[i]);
    }
    if (known.size() > names_shown_max) {
        out += " and " + std::to_string(known.size() - names_shown_max) + " more";
    }
    return out;
}

std::string in_quotes(std::string_view word) {
    std::string out = "\"";
    std::size_t shown = 0;
    // Cut by bytes first: the rest of a very long word is not worth decoding.
    for (const char32_t c : characters(word.substr(0, word_shown_max * 4 + 4))) {
        if (shown++ == word_shown_max) return out + "...\"";
        if (c == U'"' || c == U'\\') out.push_back('\\');
        append_utf8(out, is_control(c) ? U'\ufffd' : c);
    }
    return out + "\"";
}

}  // namespace umbra::config
