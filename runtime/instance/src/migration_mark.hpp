#pragma once

#include <umbra/config/instance_file.hpp>
#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace umbra::instance {

/// A storage by its plugin and options, which may be secret and are remembered as a hash.
struct StorageName {
    std::string plugin, options;

    [[nodiscard]] static StorageName of(const std::string& plugin,
                                        const config::OptionValues& options);
    bool operator==(const StorageName&) const = default;
};

/// A copy that was begun and not finished.
struct UnfinishedMigration {
    StorageName from, to;

    bool operator==(const UnfinishedMigration&) const = default;
};

inline constexpr const char* migration_mark_name = "migration.json";

/// Those of a data directory: `migration.json`; none when it is not there.
[[nodiscard]] Result<std::vector<UnfinishedMigration>> load_migrations(
    const std::filesystem::path& data_dir);
/// Atomic and durable; removes the file when there are none.
[[nodiscard]] Result<Done> save_migrations(const std::filesystem::path& data_dir,
                                           const std::vector<UnfinishedMigration>& list);

/// `conflict` when an unfinished migration has written to this storage: it may hold a part of the
/// configuration only.
[[nodiscard]] Result<Done> check_migrated(const std::filesystem::path& data_dir,
                                          const config::StorageConfig& storage);

}  // namespace umbra::instance
