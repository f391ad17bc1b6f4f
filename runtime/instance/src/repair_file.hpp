#pragma once

#include <umbra/instance/control.hpp>
#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <optional>

namespace umbra::instance {

// `repair.json` in the data directory: an edit that waits for a master.

/// Nothing when there is none; `data_loss` when it cannot be read.
[[nodiscard]] Result<std::optional<Edit>> load_repair(const std::filesystem::path& data_dir);
/// Atomic and durable; in place of the one that is there.
[[nodiscard]] Result<Done> save_repair(const std::filesystem::path& data_dir, const Edit& edit);
/// One that comes back after a power loss is known by its operation id.
void remove_repair(const std::filesystem::path& data_dir);

}  // namespace umbra::instance
