#pragma once

#include "settings.hpp"

#include <string>
#include <vector>

namespace umbra::gateway {

/// A door to open: what it is ("listener crm:9000", "socks5") and where.
struct NewDoor {
    std::string what;
    config::Endpoint address;
    std::string listener{};  ///< Its name, if it is one of a listener.

    bool operator==(const NewDoor&) const = default;
};

/// One for each of its ports.
[[nodiscard]] std::vector<NewDoor> doors_of(const ListenerSettings& listener);

/// What another gateway file means for a running gateway.
struct ReloadPlan {
    std::vector<std::string> live;     ///< "gateway.park.time: 10s -> 5s", takes effect at once.
    std::vector<std::string> restart;  ///< The same, with the reason why not at once.
    std::vector<NewDoor> open;         ///< May stand at another address until then.
    std::vector<std::string> close;    ///< Doors that the file does not have any more.
    Settings next;                     ///< What runs, with what takes effect at once.
};

/// Compares key by key. Pure.
[[nodiscard]] ReloadPlan plan_reload(const Settings& running, const Settings& file);

/// Keys of the schema that it decides about, those of a listener as "listener.address".
[[nodiscard]] std::vector<std::string> reload_keys();

}  // namespace umbra::gateway
