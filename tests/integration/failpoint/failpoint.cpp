#include "integration/failpoint/failpoint.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <spawn.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace umbra::failpoint {

namespace {

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::abort();
}

/// The environment of this program without what would reach into the other one.
std::vector<std::string> environment_with(const std::vector<std::string>& more) {
    std::vector<std::string> all = more;
    for (char** one = environ; *one != nullptr; ++one) {
        const std::string_view text = *one;
        const auto name = text.substr(0, text.find('='));
        if (name == "ASAN_OPTIONS") {
            // It wants to be the first library of all; it works as the second one too.
            all.push_back(std::string{text} + ":verify_asan_link_order=0");
        } else if (name != "LD_PRELOAD" && name != page_variable && name != trace_variable) {
            all.emplace_back(text);
        }
    }
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (auto& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

std::string read_all(int fd) {
    std::string text;
    char part[4096];
    for (;;) {
        const auto got = ::read(fd, part, sizeof part);
        if (got <= 0) return text;
        text.append(part, static_cast<std::size_t>(got));
    }
}

}  // namespace

Failpoint::Failpoint(std::string library, const std::string& room)
    : library_(std::move(library)), page_file_(room + "/page"), trace_file_(room + "/trace") {
    const int fd = ::open(page_file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, sizeof(Page)) != 0) give_up("the page of the failpoint");
    void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (memory == MAP_FAILED) give_up("the page of the failpoint");
    page_ = new (memory) Page;
}

Failpoint::~Failpoint() { ::munmap(page_, sizeof(Page)); }

void Failpoint::kill() const {
    const pid_t pid = pid_;
    if (pid > 0) ::kill(pid, SIGKILL);
}

std::string Failpoint::where() const { return std::string{page_->call} + " of " + page_->path; }

Ended Failpoint::run(const std::vector<std::string>& command, const std::string& under, How how,
                     std::uint64_t at, bool traced) {
    page_->at = at;
    page_->how = how;
    page_->calls = 0;
    page_->struck = 0;
    std::snprintf(page_->under, sizeof page_->under, "%s", under.c_str());
    ::unlink(trace_file_.c_str());

    std::vector<std::string> variables{"LD_PRELOAD=" + library_,
                                       std::string{page_variable} + "=" + page_file_};
    if (traced) variables.push_back(std::string{trace_variable} + "=" + trace_file_);
    auto environment = environment_with(variables);
    auto arguments = command;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) give_up("a pipe");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t pid = -1;
    if (::posix_spawn(&pid, arguments[0].c_str(), &actions, nullptr, pointers(arguments).data(),
                      pointers(environment).data()) != 0)
        give_up(arguments[0].c_str());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    pid_ = pid;
    Ended ended;
    ended.out = read_all(ends[0]);
    ::close(ends[0]);
    // Its output has ended, so nobody has a reason any more to kill what may be another process.
    pid_ = -1;
    int status = 0;
    ::waitpid(pid, &status, 0);
    ended.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return ended;
}

}  // namespace umbra::failpoint
