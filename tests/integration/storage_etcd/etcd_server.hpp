#pragma once

#include "integration/plugin/driver.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace umbra::plugin_test {

/// A real etcd of one member, on loopback, with a data directory of its own. It ends with the
/// object, and with this process however that ends.
class EtcdServer {
public:
    /// @param tls  Serves https with a certificate for 127.0.0.1.
    /// @param arguments  More of etcd's own.
    explicit EtcdServer(bool tls = false, std::vector<std::string> arguments = {});
    ~EtcdServer();
    EtcdServer(const EtcdServer&) = delete;
    EtcdServer& operator=(const EtcdServer&) = delete;

    [[nodiscard]] std::string url() const;
    [[nodiscard]] const std::string& port() const { return port_; }
    [[nodiscard]] std::string ca_file() const { return files_.path() + "/ca.pem"; }
    /// Of somebody else.
    [[nodiscard]] std::string wrong_ca_file() const { return files_.path() + "/wrong-ca.pem"; }

    void start();
    void kill();
    void signal(int number) const;
    /// Removes all that it has stored. @pre It was killed.
    void forget();
    /// Runs etcdctl until it succeeds. @return What it wrote.
    [[nodiscard]] std::string control(const std::string& arguments) const;

private:
    void make_certificates() const;
    [[nodiscard]] bool answers();

    TemporaryDirectory files_{fast_place()};
    std::vector<std::string> arguments_;
    bool tls_;
    std::string port_;
    std::string peer_port_;
    pid_t pid_ = -1;
};

}  // namespace umbra::plugin_test
