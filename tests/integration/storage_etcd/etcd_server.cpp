#include "integration/storage_etcd/etcd_server.hpp"

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace umbra::plugin_test {

namespace {

constexpr int starts_max = 5;
constexpr std::chrono::milliseconds poll_interval{20};

std::string free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd, raw, size) != 0 || ::getsockname(fd, raw, &size) != 0)
        broken_interface("there is no free port");
    ::close(fd);
    return std::to_string(ntohs(address.sin_port));
}

bool accepts(const std::string& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
    const bool open = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return open;
}

/// @return False when the command failed.
bool output_of(const std::string& command, std::string& output) {
    output.clear();
    std::FILE* pipe = ::popen(("exec 2>&1; " + command).c_str(), "r");
    if (pipe == nullptr) return false;
    std::array<char, 4096> part{};
    while (const auto got = std::fread(part.data(), 1, part.size(), pipe))
        output.append(part.data(), got);
    return ::pclose(pipe) == 0;
}

}  // namespace

EtcdServer::EtcdServer(bool tls, std::vector<std::string> arguments)
    : arguments_(std::move(arguments)), tls_(tls) {
    if (tls_) make_certificates();
    for (int i = 0; i < starts_max; ++i) {
        // Between the choice of a port and its use somebody else may take it.
        port_ = free_port();
        peer_port_ = free_port();
        start();
        if (answers()) return;
        kill();
        forget();
    }
    broken_interface("etcd does not start");
}

EtcdServer::~EtcdServer() { kill(); }

std::string EtcdServer::url() const {
    return (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + port_;
}

void EtcdServer::start() {
    const auto peer = "http://127.0.0.1:" + peer_port_;
    std::vector<std::string> texts{UMBRA_TEST_ETCD,
                                   "--name=test",
                                   "--data-dir=" + files_.path() + "/data",
                                   "--listen-client-urls=" + url(),
                                   "--advertise-client-urls=" + url(),
                                   "--listen-peer-urls=" + peer,
                                   "--initial-advertise-peer-urls=" + peer,
                                   "--initial-cluster=test=" + peer,
                                   "--heartbeat-interval=20",
                                   "--election-timeout=200"};
    if (tls_) {
        texts.push_back("--cert-file=" + files_.path() + "/server.pem");
        texts.push_back("--key-file=" + files_.path() + "/server.key");
    }
    texts.insert(texts.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> arguments;
    for (auto& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);
    const auto log = files_.path() + "/log";
    const pid_t parent = ::getpid();
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) broken_interface("pipe");
    pid_ = ::fork();
    if (pid_ != 0) {
        // Until it has become etcd the child holds what this process holds, the locks of a storage
        // among it. The pipe ends there.
        ::close(ends[1]);
        char none = 0;
        while (::read(ends[0], &none, 1) > 0) continue;
        ::close(ends[0]);
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(fd, STDOUT_FILENO);
    ::dup2(fd, STDERR_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
}

bool EtcdServer::answers() {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
            pid_ = -1;
            return false;
        }
        if (accepts(port_)) return true;
        std::this_thread::sleep_for(poll_interval);
    }
    return false;
}

void EtcdServer::kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

void EtcdServer::signal(int number) const { ::kill(pid_, number); }

void EtcdServer::forget() { std::filesystem::remove_all(files_.path() + "/data"); }

std::string EtcdServer::control(const std::string& arguments) const {
    const auto command = std::string{"ETCDCTL_API=3 "} + UMBRA_TEST_ETCDCTL +
                         " --endpoints=" + url() + (tls_ ? " --cacert=" + ca_file() : "") + " " +
                         arguments;
    std::string output;
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!output_of(command, output))
        if (std::chrono::steady_clock::now() > until)
            broken_interface((command + ": " + output).c_str());
    return output;
}

void EtcdServer::make_certificates() const {
    const auto run = [](const std::string& command) {
        std::string output;
        if (!output_of(command, output)) broken_interface((command + ": " + output).c_str());
    };
    const auto in = "cd " + files_.path() + " && ";
    const std::string key = " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";
    for (const std::string name : {"ca", "wrong-ca"})
        run(in + "openssl req -x509 -days 2 -subj /CN=" + name + key + "-keyout " + name +
            ".key -out " + name + ".pem");
    run(in + "openssl req -subj /CN=etcd" + key + "-keyout server.key -out server.csr");
    run(in +
        "printf 'subjectAltName=IP:127.0.0.1\\n' > san && openssl x509 -req -days 2 -in "
        "server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile san -out server.pem");
}

}  // namespace umbra::plugin_test
