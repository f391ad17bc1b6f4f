#pragma once

#include <umbra/sdk/probe.hpp>
#include <umbra/tcp_probe/endpoint.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbra::tcp_probe {

/// Longest detail line, by the SDK's contract.
inline constexpr std::size_t detail_max = 256;

/// Cuts to `detail_max` bytes and to one line.
std::string one_line(std::string text);

/// One check, from its addresses to its verdict: tries them in order by non-blocking connects until
/// one succeeds. Never blocks, starts no thread; the owner polls `fd()` for writing and calls
/// `advance()` when it is ready or `due()` has come. Each address gets an equal share of the time
/// that is left. Owns one descriptor at most.
class Attempt {
public:
    using Verdict = Result<ProbeResult>;

    /// @param deadline  When the verdict has to be there. @param patience  The same as a duration,
    /// for the text.
    Attempt(std::vector<Address> addresses, Instant deadline, Duration patience);
    ~Attempt();
    Attempt(Attempt&& other) noexcept
        : addresses_(std::move(other.addresses_)),
          deadline_(other.deadline_),
          patience_(other.patience_),
          next_(other.next_),
          fd_(std::exchange(other.fd_, -1)),
          began_(other.began_),
          due_(other.due_),
          why_(std::move(other.why_)) {}
    Attempt& operator=(Attempt&&) = delete;

    /// Takes the next step. @return The verdict, once there is one; then the object is spent.
    /// A failure (not a verdict "down") when this host is out of descriptors or memory.
    std::optional<Verdict> advance(Instant now);

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] Instant due() const { return due_; }

private:
    enum class Step { waits, connected, failed };

    Result<Step> dial(Instant now);
    Step look(Instant now);
    Step give_up(int error);
    void hang_up();

    std::vector<Address> addresses_;
    Instant deadline_;
    Duration patience_;
    std::size_t next_ = 0;
    int fd_ = -1;
    Instant began_{};
    Instant due_{};
    std::string why_;  ///< What the last failed address said.
};

}  // namespace umbra::tcp_probe
