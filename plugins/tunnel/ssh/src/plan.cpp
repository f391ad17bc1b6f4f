#include "plan.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace umbra::ssh_tunnel {

namespace {

struct HostPort {
    std::string host;
    std::uint16_t port = 0;
};

std::optional<HostPort> parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    const auto port = text.substr(colon + 1);
    std::uint16_t number = 0;
    const auto* end = port.data() + port.size();
    const auto parsed = std::from_chars(port.data(), end, number);
    if (host.empty() || parsed.ec != std::errc{} || parsed.ptr != end || number == 0)
        return std::nullopt;
    return HostPort{std::string{host}, number};
}

/// ssh leads to one address: the first whose probe does not say that it is down.
Backend backend_of(const Mapping& mapping) {
    const auto up = std::find_if(mapping.backends.begin(), mapping.backends.end(),
                                 [](const auto& backend) { return !backend.down; });
    if (up != mapping.backends.end()) return *up;
    return {mapping.internal_host, mapping.internal_port};
}

class Planner {
public:
    explicit Planner(const std::string& bind) : bind_(bind) {}

    void add(const Mapping& mapping) {
        if (!mapping.active) return;
        const auto owner = "mapping " + mapping.name;
        if (mapping.protocol != "tcp")
            return refuse(owner + " is not served: ssh carries tcp, not " + mapping.protocol);
        if (mapping.proxy_v2)
            return refuse(owner + " is not served: ssh cannot send the PROXY protocol");
        const auto to = backend_of(mapping);
        const int last = std::max(mapping.virtual_port, mapping.virtual_port_last);
        const int count = last - mapping.virtual_port + 1;
        if (to.port + count - 1 > 65535)
            return refuse(owner + " is not served: its range leads past the last port");
        std::vector<Forward> list;
        for (int i = 0; i < count && i <= static_cast<int>(forwards_max); ++i)
            list.push_back({Forward::Kind::remote,
                            bind_ == "virtual" ? mapping.virtual_host : bind_,
                            static_cast<std::uint16_t>(mapping.virtual_port + i), to.host,
                            static_cast<std::uint16_t>(to.port + i), owner});
        add_all(std::move(list));
    }

    void add(const Channel& channel) {
        const auto owner = "channel " + channel.name;
        const auto listen = parse(channel.listen);
        const auto target = parse(channel.target);
        if (!listen || !target)
            return refuse(owner + " is not served: \"" +
                          (listen ? channel.target : channel.listen) + "\" is not host:port");
        add_all({{Forward::Kind::local, listen->host, listen->port, target->host, target->port,
                  owner}});
    }

    Plan take() { return std::move(plan_); }

private:
    void refuse(std::string text) { plan_.refusals.push_back(std::move(text)); }

    /// All of a mapping or nothing of it.
    void add_all(std::vector<Forward> list) {
        const auto& owner = list.front().owner;
        if (plan_.forwards.size() + list.size() > forwards_max)
            return refuse(owner + " is not served: a tunnel has at most " +
                          std::to_string(forwards_max) + " ports");
        for (const auto& forward : list) {
            const auto taken =
                std::find_if(plan_.forwards.begin(), plan_.forwards.end(), [&](const auto& other) {
                    return other.kind == forward.kind && other.listen_port == forward.listen_port &&
                           other.listen_host == forward.listen_host;
                });
            if (taken == plan_.forwards.end()) continue;
            return refuse(owner + " is not served: " + taken->owner + " has " +
                          to_text(forward.listen_host, forward.listen_port) + " already" +
                          (forward.kind == Forward::Kind::remote && bind_ != "virtual"
                               ? "; bind = \"virtual\" gives each virtual host its own address"
                               : ""));
        }
        std::move(list.begin(), list.end(), std::back_inserter(plan_.forwards));
    }

    const std::string& bind_;
    Plan plan_;
};

}  // namespace

Plan plan_of(const TunnelSpec& spec, const std::string& bind) {
    Planner planner{bind};
    for (const auto& mapping : spec.mappings) planner.add(mapping);
    for (const auto& channel : spec.channels) planner.add(channel);
    return planner.take();
}

std::string to_text(const std::string& host, std::uint16_t port) {
    const bool brackets = host.find(':') != std::string::npos;
    return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace umbra::ssh_tunnel
