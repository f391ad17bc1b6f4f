#pragma once

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace umbra::gateway::testing {

/// A child process; killed when the test forgets it.
class Child {
public:
    Child() = default;
    Child(const std::vector<std::string>& words, const std::filesystem::path& output,
          const std::string& notify = {}) {
        std::vector<char*> argv;
        for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ != 0) return;
        const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(out, 1);
        ::dup2(out, 2);
        if (!notify.empty()) ::setenv("NOTIFY_SOCKET", notify.c_str(), 1);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    Child(const Child&) = delete;
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    Child& operator=(Child&& other) noexcept {
        std::swap(pid_, other.pid_);
        return *this;
    }
    ~Child() {
        if (pid_ > 0) (void)end(SIGKILL);
    }
    void signal(int number) const { ::kill(pid_, number); }
    /// @return exit status, or minus the signal that ended it.
    int end(int number = 0) {
        if (number != 0) ::kill(pid_, number);
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

private:
    pid_t pid_ = -1;
};

inline std::string text_of(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

}  // namespace umbra::gateway::testing
