#pragma once

#include "context.hpp"
#include "pair.hpp"
#include <umbra/base/log.hpp>
#include <umbra/gateway/dial.hpp>
#include <umbra/gateway/link.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace umbra::gateway {

inline constexpr std::size_t channel_streams_max = 16'384;
inline constexpr std::size_t channel_dials_max = 1024;
/// For a service to answer.
inline constexpr Duration channel_dial_limit = std::chrono::seconds(5);

/// Streams that instances open: their service channels. Each leads to a service that gateway.toml
/// names, and only the active node of a pair may open one. Default deny.
///
/// Threads: none of its own; everything on the loop of the context.
class Channels {
public:
    explicit Channels(Context& context);

    /// Takes over the channels of the settings of the context, and cuts the streams that they no
    /// longer permit.
    void configure();
    /// Connects the stream to its service, or refuses it.
    void offer(const Pair& pair, const Session& session, std::shared_ptr<Stream> stream);
    void stop();

    /// The channels with what came by each, for `status --json`.
    [[nodiscard]] boost::json::array status() const;

private:
    static constexpr std::size_t codes = static_cast<std::size_t>(StatusCode::draining) + 1;
    /// By `StatusCode`; what is not `ok` was refused.
    using Counts = std::array<std::uint64_t, codes>;
    struct Call {
        std::string channel, pair;
        std::shared_ptr<Stream> stream;
        std::shared_ptr<Dial> dial;  ///< While the service has not answered.
        Admission::Place place;
    };

    [[nodiscard]] const ChannelSettings* find(const std::string& pair,
                                              const OpenRequest& request) const;
    void connect(const Pair& pair, const Session& session, const ChannelSettings& channel,
                 std::shared_ptr<Stream> stream);
    void on_dialed(std::uint64_t key, const std::string& who,
                   Result<boost::asio::ip::tcp::socket> result);
    void refuse(Stream& stream, const std::string& who, OpenStatus status,
                const std::string& channel);
    void forget(std::uint64_t key);

    Context& context_;
    std::map<std::uint64_t, Call> calls_;
    std::uint64_t next_key_ = 1;
    std::size_t dials_ = 0;
    std::map<std::string, Counts> counts_;
    /// One for each kind of refusal.
    std::vector<base::RateLimit> log_ =
        std::vector<base::RateLimit>(codes, base::RateLimit{std::chrono::seconds{1}});
};

}  // namespace umbra::gateway
