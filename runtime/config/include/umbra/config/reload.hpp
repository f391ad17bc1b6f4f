#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

struct InstanceConfig;

/// A key of the instance file that has another value than the running instance uses.
struct ReloadChange {
    std::string key;
    /// As TOML, for people; nothing: not given. Values of secrets are masked.
    std::optional<std::string> from, to;
    std::string reason;  ///< Why not at once; empty for what takes effect at once.
};

/// What another instance file means for a running instance.
struct ReloadPlan {
    std::vector<ReloadChange> live;     ///< Takes effect at once.
    std::vector<ReloadChange> restart;  ///< Takes effect at the next start.
    std::vector<ReloadChange> ignored;  ///< Counts at the very first start only.
};

/// Compares key by key, in the order of contract.md. Pure.
[[nodiscard]] ReloadPlan plan_reload(const InstanceConfig& running, const InstanceConfig& file);

/// What the key of an option begins with.
inline constexpr std::string_view transport_options = "transport.options.";
inline constexpr std::string_view storage_options = "storage.options.";

/// Makes `running` use what `file` says for one key that takes effect at once; for the key of an
/// option, all live options of that plugin.
/// @pre plan_reload(running, file) has `key` among `live`
void adopt(InstanceConfig& running, const InstanceConfig& file, std::string_view key);

enum class ReloadEffect : std::uint8_t { live, restart, first_start };

/// What is decided about each key of the schema: for the test that holds the two together, and for
/// documentation.
struct ReloadDecision {
    std::string_view key;  ///< "transport.options" stands for all options of the plugin.
    ReloadEffect effect;
};
[[nodiscard]] std::vector<ReloadDecision> reload_decisions();

}  // namespace umbra::config
