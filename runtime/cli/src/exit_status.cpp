#include "exit_status.hpp"

#include <cstdio>

namespace umbra::cli {

int fail(ExitStatus status, std::string_view sentence, const std::vector<std::string>& details) {
    std::fflush(stdout);
    std::string text = "umbra: ";
    text += sentence.empty() ? "the operation failed without a reason" : sentence;
    text += '\n';
    for (const std::string& line : details) text += "  " + line + "\n";
    std::fputs(text.c_str(), stderr);
    return status;
}

void print_warning(std::string_view sentence) {
    std::fflush(stdout);
    std::fprintf(stderr, "umbra: warning: %.*s\n", static_cast<int>(sentence.size()),
                 sentence.data());
}

void print_line(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (!text.ends_with('\n')) std::fputc('\n', stdout);
}

}  // namespace umbra::cli
