#pragma once

#include <umbra/host/file.hpp>
#include <umbra/sdk/time.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace umbra::host {

/// How long a plugin may take to be loaded for describe(); then it "hung while being loaded".
inline constexpr Duration describe_limit = std::chrono::seconds{10};

struct OptionDescription {
    std::string key, type, def, min, max;  ///< def, min, max: TOML literals; empty = none
    std::vector<std::string> choices;
    std::string unit, help;
    bool required = false, live = false, secret = false;
};

/// Everything that `umbra plugin inspect FILE` prints.
struct Description {
    std::filesystem::path path;
    // Of the file; size and the rest are meaningless when it could not even be looked at.
    bool exists = false;
    std::uint64_t size = 0;
    std::string owner;  ///< Name, or number where it has none.
    unsigned mode = 0;

    std::string refusal;  ///< One sentence; empty = loadable.
    std::optional<Identity> identity;

    // Known after a load.
    std::string summary, license;
    std::vector<std::string> capabilities;
    std::vector<OptionDescription> options;

    [[nodiscard]] bool loadable() const noexcept { return refusal.empty(); }
};

/// Looks at a file through the three gates. The load happens in a child process, so that a plugin
/// whose constructor crashes or hangs is reported and not suffered; the calling process never has
/// the library in it.
/// @param limit  How long the child may take.
/// Threads: any; the process should have few of them (it forks).
[[nodiscard]] Description describe(const std::filesystem::path& path,
                                   Duration limit = describe_limit);

/// For people: ends with a newline.
[[nodiscard]] std::string to_text(const Description& description);
/// One JSON object, without a newline.
[[nodiscard]] std::string to_json(const Description& description);

}  // namespace umbra::host
