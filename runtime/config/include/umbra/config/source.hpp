#pragma once

#include <umbra/config/problem.hpp>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

constexpr std::size_t file_bytes_max = std::size_t{4} * 1024 * 1024;
/// Parts of a dotted key or table header.
constexpr std::size_t key_parts_max = 32;
/// Bytes of a dotted key or table header as it is written.
constexpr std::size_t key_bytes_max = 1024;
/// Arrays and inline tables inside one another.
constexpr std::size_t nesting_max = 32;

/// Text of a TOML file, read once, with the name that error messages use. Immutable; cheap to copy;
/// may be used from any thread.
class Source {
public:
    /// Reads `path`. Refuses directories and more than `file_bytes_max` bytes.
    [[nodiscard]] static std::optional<Source> read(const std::filesystem::path& path,
                                                    Problems& problems);
    /// Text that is already there. `name` stands in error messages; `directory` is what relative
    /// paths in it are relative to.
    [[nodiscard]] static Source from_text(std::string text, std::string name,
                                          std::filesystem::path directory = {});

    [[nodiscard]] const std::string& name() const noexcept { return data_->name; }
    [[nodiscard]] const std::string& text() const noexcept { return data_->text; }
    [[nodiscard]] const std::filesystem::path& directory() const noexcept {
        return data_->directory;
    }
    /// Line `number`, counted from 1, without its end; empty past the last.
    [[nodiscard]] std::string_view line(std::size_t number) const;

    /// A problem at a place of this file, source line filled in.
    [[nodiscard]] Problem problem(Position at, std::string text, std::string help = {}) const;

private:
    struct Data {
        std::string name, text;
        std::filesystem::path directory;
        std::vector<std::size_t> line_starts;
    };
    explicit Source(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

    std::shared_ptr<const Data> data_;
};

/// Checks what the parser must not be trusted with: size, NUL, byte order marks, UTF-8, length and
/// parts of keys, nesting. (toml++ 3.3 overflows its stack on a dotted key of 60 000 parts.)
/// Understands strings and comments; any other fault of syntax is left to the parser.
/// @return Whether the text may be parsed; if not, why is in `problems`.
[[nodiscard]] bool scan(const Source& source, Problems& problems);

/// Bytes at the beginning of `text` that are well-formed UTF-8: all of them, if it is.
[[nodiscard]] std::size_t utf8_prefix(std::string_view text);

}  // namespace umbra::config
