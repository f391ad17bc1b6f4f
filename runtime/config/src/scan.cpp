#include "utf8.hpp"
#include <umbra/config/source.hpp>

#include <string>

namespace umbra::config {

namespace {

/// Goes through the text once, by characters, and stops at the first thing that must not reach the
/// parser. Follows strings and comments exactly as far as the parser does: both stop believing in
/// the text at the first fault of syntax, and up to there they agree.
class Scanner {
public:
    Scanner(const Source& source, Problems& problems)
        : source_(source), problems_(problems), text_(source.text()) {}

    bool run() {
        if (text_.size() > file_bytes_max) {
            return fail("the text is larger than " + std::to_string(file_bytes_max) +
                        " bytes, the most that is read");
        }
        if (looks_like_utf16()) {
            return fail("the file is UTF-16, but must be UTF-8", "save it as UTF-8");
        }
        while (at_ < text_.size()) {
            if (!step()) return false;
        }
        return true;
    }

private:
    bool step() {
        const char c = text_[at_];
        switch (c) {
            case '#':
                return comment();
            case '"':
            case '\'':
                return string(c);
            case '\n':
                if (!next()) return false;
                // Inside an array a line end separates nothing.
                if (nesting_ == 0) statement_begins();
                return true;
            case '.':
                return next() && count_part();
            case '=':
                key_ = Key{};
                in_header_ = false;
                expects_key_ = false;
                return next();
            case '[':
            case '{':
                return open(c);
            case ']':
            case '}':
                return close();
            case ',':
                key_ = Key{};
                return next();
            default:
                return next();
        }
    }

    /// One character on; counts lines and columns, refuses what is not text.
    bool next() {
        const std::size_t length = utf8_length(text_, at_);
        if (length == 0) {
            return fail("invalid UTF-8: byte " + hex(static_cast<unsigned char>(text_[at_])),
                        "save the file as UTF-8");
        }
        if (text_[at_] == '\0') return fail("the file contains a NUL byte", "is this a text file?");
        // Blanks in front of a key are no part of it.
        if (key_.bytes != 0 || !is_blank()) key_.bytes += length;
        if (expects_key_ && key_.bytes > key_bytes_max && text_[at_] != '\n' && !is_blank()) {
            return fail("a key is longer than " + std::to_string(key_bytes_max) + " bytes",
                        "keys are meant to be read by people");
        }
        if (text_[at_] == '\n') {
            ++place_.line;
            place_.column = 1;
        } else {
            ++place_.column;
        }
        at_ += length;
        return true;
    }

    bool skip(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            if (!next()) return false;
        }
        return true;
    }

    bool comment() {
        // Its length says nothing about a key.
        key_ = Key{};
        const bool expected = expects_key_;
        expects_key_ = false;
        while (at_ < text_.size() && text_[at_] != '\n') {
            if (!next()) return false;
        }
        expects_key_ = expected;
        return true;
    }

    bool string(char quote) {
        const std::string triple(3, quote);
        if (text_.compare(at_, 3, triple) == 0) return long_string(quote, triple);
        if (!next()) return false;
        while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n') {
            const bool escape = quote == '"' && text_[at_] == '\\';
            if (!next()) return false;
            if (escape && at_ < text_.size() && text_[at_] != '\n' && !next()) return false;
        }
        return at_ >= text_.size() || text_[at_] == '\n' || next();
    }

    bool long_string(char quote, const std::string& triple) {
        if (!skip(3)) return false;
        while (at_ < text_.size()) {
            if (text_.compare(at_, 3, triple) == 0) {
                if (!skip(3)) return false;
                // Up to two more quotes belong to the string.
                for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] == quote; ++i) {
                    if (!next()) return false;
                }
                return true;
            }
            const bool escape = quote == '"' && text_[at_] == '\\';
            if (!next()) return false;
            if (escape && at_ < text_.size() && !next()) return false;
        }
        return true;
    }

    bool count_part() {
        if (++key_.parts <= key_parts_max) return true;
        return fail("a dotted key has more than " + std::to_string(key_parts_max) + " parts",
                    "use fewer levels");
    }

    bool open(char c) {
        // A bracket where a key is expected begins a table header, which nests nothing.
        if (c == '[' && nesting_ == 0 && expects_key_) {
            in_header_ = true;
            key_ = Key{};
            return next();
        }
        if (nesting_ == nesting_max) {
            return fail("arrays and inline tables are nested more than " +
                            std::to_string(nesting_max) + " levels deep",
                        "use [tables] instead");
        }
        ++nesting_;
        if (!next()) return false;
        key_ = Key{};
        return true;
    }

    bool close() {
        if (!in_header_ && nesting_ > 0) --nesting_;
        key_ = Key{};
        return next();
    }

    void statement_begins() {
        key_ = Key{};
        in_header_ = false;
        expects_key_ = true;
    }

    bool is_blank() const { return text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r'; }

    bool looks_like_utf16() const {
        return text_.compare(0, 2, "\xff\xfe") == 0 || text_.compare(0, 2, "\xfe\xff") == 0;
    }

    static std::string hex(unsigned char byte) {
        constexpr char digits[] = "0123456789abcdef";
        return {'0', 'x', digits[byte >> 4], digits[byte & 15]};
    }

    bool fail(std::string text, std::string help = {}) {
        problems_.add(source_.problem(place_, std::move(text), std::move(help)));
        return false;
    }

    struct Key {
        std::size_t parts = 1;
        std::size_t bytes = 0;
    };

    const Source& source_;
    Problems& problems_;
    const std::string& text_;
    std::size_t at_ = 0;
    Position place_{1, 1};
    std::size_t nesting_ = 0;
    Key key_;                  ///< What was read since the last thing that ends a key.
    bool expects_key_ = true;  ///< Left of the `=` of a statement.
    bool in_header_ = false;
};

}  // namespace

bool scan(const Source& source, Problems& problems) { return Scanner(source, problems).run(); }

}  // namespace umbra::config
