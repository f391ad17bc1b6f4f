#pragma once

#include <umbra/config/problem.hpp>
#include <umbra/config/schema.hpp>
#include <umbra/config/source.hpp>
#include <umbra/config/values.hpp>

#include <string>
#include <vector>

namespace umbra::gateway {

/// A service that instances may reach through their service channels.
struct ChannelSettings {
    std::string name;
    config::Endpoint target;   ///< As instances ask for it.
    config::Endpoint address;  ///< Where the gateway connects; the same, if the file says nothing.
    std::string pair;

    bool operator==(const ChannelSettings&) const = default;
};

/// [channel.NAME] of gateway.toml.
[[nodiscard]] config::Table channel_schema();
/// Within a pair, a target leads to one service.
[[nodiscard]] std::vector<ChannelSettings> load_channels(
    const std::vector<config::Section>& sections, const config::Source& source,
    config::Problems& problems);

}  // namespace umbra::gateway
