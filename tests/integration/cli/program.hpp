#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace umbra::test {

/// What a program did.
struct Ran {
    int status = -1;  ///< Exit status; 1000 + signal if it was killed.
    std::string out, err;
};

/// A real program with its output in pipes.
class Program {
public:
    /// @param environment  "NAME=value"; nothing else of ours is handed on, except PATH.
    Program(const std::string& file, std::vector<std::string> arguments,
            std::vector<std::string> environment = {}, const std::string& input = {}) {
        arguments.insert(arguments.begin(), file);
        environment.emplace_back("PATH=/usr/bin:/bin");
        int in[2], out[2], err[2];
        EXPECT_EQ(::pipe2(in, O_CLOEXEC) | ::pipe2(out, O_CLOEXEC) | ::pipe2(err, O_CLOEXEC), 0);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
        EXPECT_EQ(::posix_spawn(&pid_, file.c_str(), &actions, nullptr, pointers(arguments).data(),
                                pointers(environment).data()),
                  0)
            << file;
        posix_spawn_file_actions_destroy(&actions);
        EXPECT_EQ(::write(in[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
        for (const int fd : {in[0], in[1], out[1], err[1]}) ::close(fd);
        out_ = out[0];
        err_ = err[0];
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(out_);
        ::close(err_);
    }

    /// Reads until stdout holds `text`, the program ends, or patience does.
    bool wait_for(const std::string& text) {
        while (ran_.out.find(text) == std::string::npos && read_some()) {
        }
        return ran_.out.find(text) != std::string::npos;
    }
    /// What it wrote so far is forgotten.
    void forget() { ran_.out.clear(); }
    void signal(int number) const { ::kill(pid_, number); }
    void close_output() {
        ::close(out_);
        out_ = -1;
    }

    /// Waits for its end.
    Ran finish() {
        while (read_some()) {
        }
        int status = 0;
        EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
        pid_ = -1;
        ran_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        return ran_;
    }

private:
    static std::vector<char*> pointers(std::vector<std::string>& texts) {
        std::vector<char*> list;
        for (std::string& text : texts) list.push_back(text.data());
        list.push_back(nullptr);
        return list;
    }
    /// @return false when both pipes ended; a program that is silent for too long is killed.
    bool read_some() {
        pollfd fds[2] = {{out_open_ ? out_ : -1, POLLIN, 0}, {err_open_ ? err_ : -1, POLLIN, 0}};
        if (fds[0].fd < 0 && fds[1].fd < 0) return false;
        constexpr int patience_ms = 20000;
        if (::poll(fds, 2, patience_ms) <= 0) {
            ADD_FAILURE() << "the program is silent and does not end";
            ::kill(pid_, SIGKILL);
            return false;
        }
        if (fds[0].revents != 0) out_open_ = append(out_, ran_.out);
        if (fds[1].revents != 0) err_open_ = append(err_, ran_.err);
        return true;
    }
    static bool append(int fd, std::string& text) {
        char buffer[65536];
        const ssize_t n = ::read(fd, buffer, sizeof buffer);
        if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }

    pid_t pid_ = -1;
    int out_ = -1, err_ = -1;
    bool out_open_ = true, err_open_ = true;
    Ran ran_;
};

}  // namespace umbra::test
