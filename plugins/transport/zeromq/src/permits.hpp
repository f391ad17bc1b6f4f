#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace umbra::zeromq {

/// ZAP domains. Never empty: libzmq does not ask the handler for a socket without one.
constexpr const char* respond_domain = "umbra.respond";  ///< Questions: the peer and guests.
constexpr const char* publish_domain = "umbra.publish";  ///< Updates: the peer alone.

enum class Verdict : std::uint8_t {
    permitted,
    unknown,  ///< Not permitted yet: answered so that the client tries again by itself.
    revoked,  ///< Was permitted once: told so.
};

/// Strangers since the last report.
struct Strangers {
    std::uint64_t count = 0;
    std::string detail;  ///< About the last one, for people.
};

/// Who may connect. Shared by the socket thread, which changes it, and the ZAP thread, which asks.
class Permits {
public:
    /// Replaces who is permitted. A key that was permitted before and no longer is, is revoked.
    void set(const std::string& peer, const std::vector<std::string>& guests);

    /// Decides about a connection and counts it when it is a stranger's.
    [[nodiscard]] Verdict judge(const std::string& domain, const std::string& key,
                                const std::string& address);

    /// Decides about one message of a connection that was let in earlier.
    [[nodiscard]] bool allows(const std::string& domain, const std::string& key) const;
    [[nodiscard]] bool is_peer(const std::string& key) const;

    /// A stranger that never got as far as the handler, for example without CURVE.
    void count_stranger(std::string detail);
    /// Empties the count.
    [[nodiscard]] Strangers take_strangers();

    /// The throw-away key of the start-up self-test: always refused, never counted as a stranger.
    void begin_self_test(const std::string& key);
    /// How often the handler refused that key since `begin_self_test()`.
    [[nodiscard]] int end_self_test();

private:
    [[nodiscard]] bool allowed(const std::string& domain, const std::string& key) const;

    mutable std::mutex mutex_;
    std::string peer_;
    std::set<std::string> guests_;
    std::set<std::string> revoked_;
    std::string self_test_key_;
    int self_test_refusals_ = 0;
    Strangers strangers_;
};

}  // namespace umbra::zeromq
