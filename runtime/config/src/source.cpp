#include "utf8.hpp"
#include <umbra/config/source.hpp>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace umbra::config {

namespace {

constexpr std::string_view utf8_mark = "\xef\xbb\xbf";

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

std::string reason(int error) { return std::generic_category().message(error); }

Problem about_file(const std::filesystem::path& path, std::string text, std::string help = {}) {
    Problem problem;
    problem.file = path.string();
    problem.text = std::move(text);
    problem.help = std::move(help);
    return problem;
}

std::string too_large() {
    return "the file is larger than " + std::to_string(file_bytes_max) +
           " bytes, the most that is read";
}

/// One byte more than is allowed, so that "too large" can be told from "just fits".
std::optional<std::string> read_all(int fd, int& error) {
    std::string text;
    std::array<char, 65536> chunk;
    while (text.size() <= file_bytes_max) {
        const ssize_t got = ::read(fd, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            error = errno;
            return std::nullopt;
        }
        if (got == 0) break;
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;
}

}  // namespace

std::optional<Source> Source::read(const std::filesystem::path& path, Problems& problems) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (fd.get() < 0) {
        problems.add(about_file(path, "cannot open the file: " + reason(errno),
                                "check the path and that this user may read it"));
        return std::nullopt;
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) == 0 && S_ISDIR(info.st_mode)) {
        problems.add(about_file(path, "this is a directory, not a file", "name a file in it"));
        return std::nullopt;
    }
    int error = 0;
    auto text = read_all(fd.get(), error);
    if (!text) {
        problems.add(about_file(path, "cannot read the file: " + reason(error)));
        return std::nullopt;
    }
    if (text->size() > file_bytes_max) {
        problems.add(about_file(path, too_large(), "split it up or name the right file"));
        return std::nullopt;
    }
    return from_text(std::move(*text), path.string(), path.parent_path());
}

Source Source::from_text(std::string text, std::string name, std::filesystem::path directory) {
    auto data = std::make_shared<Data>();
    data->name = std::move(name);
    data->directory = std::move(directory);
    // Windows editors put the mark there; it means nothing and would shift the first line.
    if (text.compare(0, utf8_mark.size(), utf8_mark) == 0) text.erase(0, utf8_mark.size());
    data->text = std::move(text);
    data->line_starts.push_back(0);
    for (std::size_t i = 0; i < data->text.size(); ++i) {
        if (data->text[i] == '\n') data->line_starts.push_back(i + 1);
    }
    return Source(std::move(data));
}

std::string_view Source::line(std::size_t number) const {
    if (number == 0 || number > data_->line_starts.size()) return {};
    const std::string_view text = data_->text;
    const std::size_t begin = data_->line_starts[number - 1];
    std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

Problem Source::problem(Position at, std::string text, std::string help) const {
    // Enough for any caret; a line may be as long as the file.
    constexpr std::size_t line_kept_max = 8192;
    Problem problem;
    problem.file = name();
    problem.at = at;
    problem.text = std::move(text);
    problem.help = std::move(help);
    if (at.line != 0) problem.source_line = line(at.line).substr(0, line_kept_max);
    return problem;
}

}  // namespace umbra::config
