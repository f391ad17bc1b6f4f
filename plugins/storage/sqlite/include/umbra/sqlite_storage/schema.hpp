#pragma once

#include <umbra/sqlite_storage/database.hpp>

#include <cstdint>
#include <string>

namespace umbra::sqlite_storage {

/// `PRAGMA application_id` of a database of this storage: "UMBR".
inline constexpr std::uint64_t application_id = 0x554d4252;
/// `PRAGMA user_version`: the schema that this version writes. Each older one is migrated.
inline constexpr std::uint64_t schema_version = 2;

/// Refuses what is not a database of this storage (`conflict`), and one that a later version wrote
/// (`unsupported`). Changes nothing.
/// @return The version that is there; 0 = an empty database.
Result<std::uint64_t> check_schema(Database& database);

/// Brings an intact database to `schema_version` in one transaction, from nothing as well.
/// @return What was done, for the log; empty where there was nothing to do, or nothing to tell.
Result<std::string> migrate(Database& database, std::uint64_t from);

}  // namespace umbra::sqlite_storage
