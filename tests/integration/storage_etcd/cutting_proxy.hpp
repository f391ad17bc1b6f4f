#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace umbra::plugin_test {

/// Stands between a storage and etcd, one connection at a time. When told to, it passes a request
/// on, waits for the answer, and hangs up instead of passing that back.
class CuttingProxy {
public:
    explicit CuttingProxy(const std::string& target_port);
    ~CuttingProxy();
    CuttingProxy(const CuttingProxy&) = delete;
    CuttingProxy& operator=(const CuttingProxy&) = delete;

    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + port_; }
    /// The next so many answers are lost.
    void lose_answers(int count) { losing_ = count; }
    [[nodiscard]] int lost() const { return lost_; }

private:
    void serve();
    void carry(int client, int server);

    std::string target_port_;
    std::string port_;
    int listener_ = -1;
    std::atomic<bool> ending_{false};
    std::atomic<int> losing_{0};
    std::atomic<int> lost_{0};
    std::thread thread_;
};

}  // namespace umbra::plugin_test
