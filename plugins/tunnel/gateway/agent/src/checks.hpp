#pragma once

#include "backend_dial.hpp"
#include <umbra/gateway/link.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace umbra::gateway {

/// What is tried at the same time, so that many dead systems do not add up their time limits.
inline constexpr std::size_t checks_at_once = 256;
/// For the gateway to dial the service of a channel and to answer.
inline constexpr Duration channel_check_limit = std::chrono::seconds(8);

/// One look at everything that a tunnel leads to from here: each backend of each mapping as a
/// client would reach it (name, rules for addresses, connect, TLS), and the target of each channel
/// through the gateway. Sends no byte of a user. Belongs to the loop's thread.
class Checks : public std::enable_shared_from_this<Checks> {
public:
    /// Opens a stream to the target of a channel; a failure is why there is none.
    using Call = std::function<Result<std::shared_ptr<Stream>>(OpenRequest)>;
    using Done = std::function<void(std::vector<TunnelCheck>)>;

    /// @param place  With an order of its own: what is tried here says nothing about users.
    /// @param epoch  Under which streams are opened; 0: this node is not active.
    /// @param done   Called once, later, unless canceled; in the order of `spec`.
    static std::shared_ptr<Checks> start(BackendPlace place, const TunnelSpec& spec,
                                         std::uint64_t epoch, Call call, Done done);
    void cancel();

    Checks(BackendPlace place, std::uint64_t epoch, Call call, Done done);

private:
    struct Attempt {
        std::shared_ptr<const Mapping> mapping;  ///< With one backend; null: a channel.
        Endpoint target;
        Instant begun{};
        std::shared_ptr<BackendDial> dial{};
        std::shared_ptr<Stream> stream{};
        std::unique_ptr<boost::asio::steady_timer> timer{};
    };

    void plan(const Mapping& mapping);
    void plan(const Channel& channel);
    void work();
    void try_backend(std::size_t at);
    void try_channel(std::size_t at);
    void finish(std::size_t at, bool ok, std::string detail);

    BackendPlace place_;
    const std::uint64_t epoch_;
    const Call call_;
    Done done_;
    std::vector<TunnelCheck> results_;
    std::map<std::size_t, Attempt> planned_, running_;  ///< By their place in `results_`.
};

}  // namespace umbra::gateway
