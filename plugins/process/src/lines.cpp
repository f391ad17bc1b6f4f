#include <umbra/process/lines.hpp>

#include <algorithm>
#include <utility>

namespace umbra::process {

std::string one_line(std::string_view text, std::size_t most) {
    std::string line{text};
    std::replace_if(
        line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
    const auto first = line.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    line = line.substr(first, line.find_last_not_of(' ') - first + 1);
    if (line.size() > most) line.replace(most - 3, std::string::npos, "...");
    return line;
}

void LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto part = bytes.substr(0, end);
        // One byte too many shows one_line() that there was more.
        const auto room = line_bytes_max + 1 - std::min(line_.size(), line_bytes_max + 1);
        line_.append(part.substr(0, room));
        if (end == std::string_view::npos) return;
        emit(on_line);
        bytes.remove_prefix(end + 1);
    }
}

void LineSplitter::finish(const OnLine& on_line) { emit(on_line); }

void LineSplitter::emit(const OnLine& on_line) {
    auto line = one_line(std::exchange(line_, {}));
    if (!line.empty()) on_line(std::move(line));
}

}  // namespace umbra::process
