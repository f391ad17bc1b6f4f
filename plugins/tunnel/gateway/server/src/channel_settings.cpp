#include "channel_settings.hpp"

#include <algorithm>
#include <utility>

namespace umbra::gateway {

using config::Key;
using config::Type;

config::Table channel_schema() {
    config::Table channel;
    channel.name = "channel";
    channel.named = true;
    channel.keys = {
        Key{.name = "target",
            .type = Type::endpoint,
            .required = true,
            .help = "A service that instances may reach, as their service channels name it, for "
                    "example \"db.cloud:5432\"."},
        Key{.name = "address",
            .type = Type::endpoint,
            .help = "Where the gateway connects to it; without this key, to the target itself."},
        Key{.name = "pair",
            .type = Type::name,
            .def = "\"default\"",
            .help = "The pair of instances that may."},
    };
    return channel;
}

std::vector<ChannelSettings> load_channels(const std::vector<config::Section>& sections,
                                           const config::Source& source,
                                           config::Problems& problems) {
    std::vector<ChannelSettings> channels;
    for (const auto& section : sections) {
        // Else it has a mistake that was reported.
        if (!section.has("target") || !section.has("pair")) continue;
        const auto target = section.endpoint("target");
        ChannelSettings channel{section.name(), target,
                                section.has("address") ? section.endpoint("address") : target,
                                section.text("pair")};
        const auto other = std::ranges::find_if(channels, [&](const ChannelSettings& one) {
            return one.pair == channel.pair && one.target == channel.target;
        });
        if (other != channels.end()) {
            auto problem = source.problem(
                section.at("target"),
                "target " + to_string(target) + " is that of [channel." + other->name + "], too",
                "a target of a pair leads to one service");
            problem.key = section.path() + ".target";
            problems.add(std::move(problem));
        }
        channels.push_back(std::move(channel));
    }
    return channels;
}

}  // namespace umbra::gateway
