#include "integration/tunnel_ssh/sshd.hpp"

#include "integration/plugin/sockets.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <pwd.h>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace umbra::plugin_test {

namespace {

using namespace std::chrono_literals;

constexpr const char* program = "/usr/sbin/sshd";
/// Where Debian's sshd, run by root, locks up the part that speaks before the login.
constexpr const char* privilege_separation = "/run/sshd";

std::string text_of(const std::string& file) {
    std::ifstream stream{file};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

void make_key(const std::string& file) {
    std::filesystem::remove(file);
    std::filesystem::remove(file + ".pub");
    const auto command = "ssh-keygen -q -t ed25519 -N '' -f " + file;
    if (std::system(command.c_str()) != 0) broken_interface("ssh-keygen does not make a key");
}

/// The process and all that it started.
std::vector<pid_t> tree_of(pid_t root) {
    std::vector<pid_t> tree{root};
    for (std::size_t i = 0; i < tree.size(); ++i) {
        const auto pid = std::to_string(tree[i]);
        std::istringstream children{text_of("/proc/" + pid + "/task/" + pid + "/children")};
        for (pid_t child = 0; children >> child;) tree.push_back(child);
    }
    return tree;
}

}  // namespace

std::string Sshd::missing() {
    for (const char* file : {program, "/usr/bin/ssh", "/usr/bin/ssh-keygen"})
        if (::access(file, X_OK) != 0) return std::string{file} + " is missing";
    return {};
}

std::string Sshd::user() { return ::getpwuid(::geteuid())->pw_name; }

Sshd::Sshd(const std::string& more) : more_(more) {
    if (::geteuid() == 0) std::filesystem::create_directory(privilege_separation);
    for (const char* name : {"identity", "stranger", "host"}) make_key(path(name));
    start();
}

Sshd::~Sshd() { kill(); }

void Sshd::change_host_key() { make_key(path("host")); }

void Sshd::start() {
    // Between finding a port and listening somebody else may take it.
    for (int i = 0; i < 20; ++i)
        if (try_start()) return;
    broken_interface(("sshd does not start: " + log()).c_str());
}

bool Sshd::try_start() {
    if (port_ == 0) port_ = free_port();
    std::ofstream{path("config")} << "ListenAddress " << address() << "\nHostKey " << path("host")
                                  << "\nAuthorizedKeysFile " << path("identity.pub")
                                  << "\nStrictModes no\nUsePAM no\nPidFile none\n"
                                     "PasswordAuthentication no\nPermitRootLogin yes\n"
                                     "GatewayPorts clientspecified\nMaxStartups 100\n"
                                  << more_ << "\n";
    pid_ = ::fork();
    if (pid_ == 0) {
        const int log = ::open(path("log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log, STDOUT_FILENO);
        ::dup2(log, STDERR_FILENO);
        ::execl(program, program, "-D", "-e", "-f", path("config").c_str(), nullptr);
        ::_exit(127);
    }
    for (int i = 0; i < 2000; ++i) {
        if (Client{port_}.connected()) return true;
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) break;
        std::this_thread::sleep_for(5ms);
    }
    pid_ = -1;
    port_ = 0;
    return false;
}

void Sshd::kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGSTOP);  // Nothing new while one looks.
    for (const auto pid : tree_of(pid_)) ::kill(pid, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

std::string Sshd::host_key() const {
    std::istringstream words{text_of(path("host.pub"))};
    std::string type, key;
    words >> type >> key;
    return type + " " + key;
}

std::string Sshd::known_hosts() const {
    const auto file = path("known_hosts");
    std::ofstream{file} << "[127.0.0.1]:" << port_ << " " << host_key() << "\n";
    return file;
}

OptionValues Sshd::options() const {
    return {{"address", address()},
            {"user", user()},
            {"identity_file", identity()},
            {"host_keys", std::vector<std::string>{host_key()}},
            {"bind", "127.0.0.1"},
            {"connect_timeout", Duration{10s}.count()},
            {"alive_interval", Duration{2s}.count()},
            {"alive_count", std::int64_t{3}},
            {"reconnect_max", Duration{300ms}.count()},
            {"program", "/usr/bin/ssh"}};
}

std::string Sshd::log() const { return text_of(path("log")); }

}  // namespace umbra::plugin_test
