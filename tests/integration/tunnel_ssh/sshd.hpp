#pragma once

#include "integration/plugin/driver.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace umbra::plugin_test {

/// A real sshd on loopback with its own configuration, host key and users' keys, all of them in a
/// temporary directory.
class Sshd {
public:
    /// @param more  Lines of its configuration.
    explicit Sshd(const std::string& more = "");
    ~Sshd();

    /// Why there is none on this machine; empty: it can be started.
    static std::string missing();

    /// On the same port as before, if there was one.
    void start();
    /// The listener and every session, as when its host loses power.
    void kill();
    /// From the next start on it has another host key.
    void change_host_key();

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    /// Of a user who may log in, and of one who may not.
    [[nodiscard]] std::string identity() const { return path("identity"); }
    [[nodiscard]] std::string stranger() const { return path("stranger"); }
    /// Its host key, as `known_hosts` names it, and as `host_keys` does.
    [[nodiscard]] std::string known_hosts() const;
    [[nodiscard]] std::string host_key() const;
    /// Name of the user that runs this test.
    static std::string user();
    /// Options of a tunnel to it.
    [[nodiscard]] OptionValues options() const;
    [[nodiscard]] std::string log() const;

private:
    [[nodiscard]] std::string path(const std::string& name) const {
        return directory_.path() + "/" + name;
    }
    bool try_start();

    TemporaryDirectory directory_;
    const std::string more_;
    std::uint16_t port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace umbra::plugin_test
