#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace umbra::plugin_test {

/// Stands between a storage and etcd, one connection at a time. When told to, it hangs up: instead
/// of passing a request on, or, when etcd has answered, instead of passing that back.
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

    /// Hangs up at the n-th request from now on, from 1; 0: at none.
    enum class Hang { before_request, before_answer };
    /// @param act  Done just before, on the thread of the proxy.
    void hang_up(int at, Hang how, std::function<void()> act = nullptr);
    /// Requests since then.
    [[nodiscard]] int requests() const { return requests_; }

private:
    void serve();
    void carry(int client, int server);
    /// Whether this is where it hangs up; then what is to be done is done.
    bool hangs_up(Hang how);

    std::string target_port_;
    std::string port_;
    int listener_ = -1;
    std::atomic<bool> ending_{false};
    std::atomic<int> losing_{0};
    std::atomic<int> lost_{0};
    std::mutex mutex_;  ///< Of the three below.
    int hang_at_ = 0;
    Hang hang_ = Hang::before_request;
    std::function<void()> act_;
    std::atomic<int> requests_{0};
    std::thread thread_;
};

}  // namespace umbra::plugin_test
