#include "passphrase.hpp"

#include <umbra/seal/seal.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace umbra::cli {
namespace {

constexpr char key_interrupt = 3, key_end = 4, key_backspace = 8, key_kill = 21, key_delete = 127;

class File {
public:
    File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

/// A terminal that hands over every key and shows none, until the end of the object.
class QuietTerminal {
public:
    explicit QuietTerminal(int fd) : fd_(fd) {
        ::tcgetattr(fd_, &before_);
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
        // What was typed ahead was shown.
        ::tcsetattr(fd_, TCSAFLUSH, &quiet);
    }
    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;
    ~QuietTerminal() { ::tcsetattr(fd_, TCSAFLUSH, &before_); }

private:
    int fd_;
    termios before_{};
};

void say_on(int terminal, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(terminal, text.data(), text.size());
        if (n <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::optional<char> next_byte(int fd) {
    char c = 0;
    ssize_t n = 0;
    do {
        n = ::read(fd, &c, 1);
    } while (n < 0 && errno == EINTR);
    if (n != 1) return std::nullopt;
    return c;
}

Error too_long() {
    return {Errc::invalid,
            "a passphrase has at most " + std::to_string(seal::passphrase_bytes_max) + " bytes"};
}

/// Room for a line from the beginning, so that growing leaves no copies of it in memory.
std::string empty_line() {
    std::string line;
    line.reserve(seal::passphrase_bytes_max + 1);
    return line;
}

Result<seal::Secret> ask(int terminal, std::string_view question) {
    std::string line = empty_line();
    {
        const QuietTerminal quiet{terminal};
        say_on(terminal, question);
        while (const auto key = next_byte(terminal)) {
            if (*key == '\n' || *key == '\r') {
                say_on(terminal, "\n");
                return seal::Secret{std::move(line)};
            }
            if (*key == key_interrupt || *key == key_end) break;
            if (*key == key_kill) {
                line.clear();
            } else if (*key == key_backspace || *key == key_delete) {
                // A character may be several bytes; those after the first begin with the bits 10.
                while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xc0) == 0x80) {
                    line.pop_back();
                }
                if (!line.empty()) line.pop_back();
            } else if (line.size() < line.capacity()) {
                line.push_back(*key);
            }
        }
    }
    seal::wipe(line);
    say_on(terminal, "\n");
    return Error{Errc::canceled, "no passphrase was given"};
}

Result<seal::Secret> ask_terminal(bool twice) {
    const File terminal{"/dev/tty", O_RDWR | O_NOCTTY};
    if (terminal.get() < 0) {
        return Error{Errc::invalid, std::string{"there is no terminal to ask for the passphrase; "
                                                "name a file with --passphrase-file, or set "} +
                                        passphrase_variable};
    }
    auto first = ask(terminal.get(), "Passphrase of the backup: ");
    if (!first || !twice) return first;
    const auto second = ask(terminal.get(), "The same again: ");
    if (!second) return second.error();
    if (first->view() != second->view()) {
        return Error{Errc::invalid, "the two passphrases are not the same"};
    }
    return first;
}

Result<seal::Secret> read_passphrase(const std::string& path) {
    const File file{path, O_RDONLY | O_NOCTTY};
    struct stat about {};
    if (file.get() < 0 || ::fstat(file.get(), &about) != 0) {
        return Error{Errc::invalid, "cannot open " + path + ": " + std::strerror(errno), errno};
    }
    if (S_ISREG(about.st_mode) && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return Error{Errc::denied,
                     path + ": others may read the passphrase; run \"chmod 600 " + path + "\""};
    }
    std::string line = empty_line();
    std::optional<char> c;
    while ((c = next_byte(file.get())) && *c != '\n') {
        if (line.size() == seal::passphrase_bytes_max) {
            seal::wipe(line);
            return too_long();
        }
        line.push_back(*c);
    }
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) return Error{Errc::invalid, path + ": the first line has no passphrase"};
    return seal::Secret{std::move(line)};
}

}  // namespace

Result<seal::Secret> get_passphrase(const std::string& file, bool twice) {
    if (!file.empty()) return read_passphrase(file);
    const char* const given = std::getenv(passphrase_variable);
    if (given != nullptr && *given != '\0') return seal::Secret{std::string{given}};
    return ask_terminal(twice);
}

}  // namespace umbra::cli
