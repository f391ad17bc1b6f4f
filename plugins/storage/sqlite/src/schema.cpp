#include <umbra/sqlite_storage/schema.hpp>
#include <umbra/storage_queue/checksum.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace umbra::sqlite_storage {

namespace {

/// `steps[n]` makes version n + 1 of version n. A step that was released is never changed.
constexpr std::array<const char*, schema_version> steps{
    // 1: the log and its snapshot.
    R"(CREATE TABLE entry (
           seq INTEGER PRIMARY KEY CHECK (seq > 0),
           epoch INTEGER NOT NULL,
           hash BLOB NOT NULL CHECK (length(hash) = 32),
           body BLOB NOT NULL
       ) STRICT;
       CREATE TABLE snapshot (
           id INTEGER PRIMARY KEY CHECK (id = 1),
           seq INTEGER NOT NULL CHECK (seq > 0),
           epoch INTEGER NOT NULL,
           hash BLOB NOT NULL CHECK (length(hash) = 32),
           body BLOB NOT NULL
       ) STRICT;)",
    // 2: a checksum of every row, and what the log has to end with.
    R"(ALTER TABLE entry ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
       ALTER TABLE snapshot ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
       UPDATE entry SET sum = umbra_sum(seq, epoch, hash, body);
       UPDATE snapshot SET sum = umbra_sum(seq, epoch, hash, body);
       CREATE TABLE state (
           id INTEGER PRIMARY KEY CHECK (id = 1),
           commits INTEGER NOT NULL,
           last_seq INTEGER NOT NULL
       ) STRICT;
       INSERT INTO state SELECT 1, 0, max(
           (SELECT coalesce(max(seq), 0) FROM entry), (SELECT coalesce(max(seq), 0) FROM snapshot));)",
};

/// umbra_sum(seq, epoch, hash, body): the checksum that is stored beside an entry.
void umbra_sum(sqlite3_context* context, int, sqlite3_value** values) {
    LogPosition position;
    position.seq = static_cast<std::uint64_t>(::sqlite3_value_int64(values[0]));
    position.epoch = static_cast<std::uint64_t>(::sqlite3_value_int64(values[1]));
    const auto hash_size = static_cast<std::size_t>(::sqlite3_value_bytes(values[2]));
    std::memcpy(position.hash.data(), ::sqlite3_value_blob(values[2]),
                std::min(hash_size, position.hash.size()));
    const auto* body = static_cast<const char*>(::sqlite3_value_blob(values[3]));
    const auto size = static_cast<std::size_t>(::sqlite3_value_bytes(values[3]));
    const auto sum = storage_queue::checksum(
        position, {body == nullptr ? "" : body, body == nullptr ? 0 : size});
    ::sqlite3_result_int64(context, static_cast<sqlite3_int64>(sum));
}

Result<Done> run_steps(Database& database, std::uint64_t from) {
    for (auto version = from; version < schema_version; ++version)
        if (auto done = database.run(steps[version]); !done.ok()) return done;
    const auto stamp = "PRAGMA application_id = " + std::to_string(application_id) +
                       "; PRAGMA user_version = " + std::to_string(schema_version) + "; COMMIT;";
    return database.run(stamp.c_str());
}

}  // namespace

Result<std::uint64_t> check_schema(Database& database) {
    const auto application = database.ask_number("PRAGMA application_id");
    if (!application.ok()) return application.error();
    const auto version = database.ask_number("PRAGMA user_version");
    if (!version.ok()) return version.error();
    const auto tables = database.ask_number("SELECT count(*) FROM sqlite_schema");
    if (!tables.ok()) return tables.error();
    if (*application == 0 && *version == 0 && *tables == 0) return std::uint64_t{0};
    if (*application != application_id || *version == 0)
        return Error{
            Errc::conflict,
            database.path() +
                " is not a database of Umbra's storage \"sqlite\"; give the option \"file\" "
                "another name, or move that file away"};
    if (*version > schema_version)
        return Error{Errc::unsupported,
                     database.path() + " has schema " + std::to_string(*version) +
                         ", this version of Umbra knows schemas up to " +
                         std::to_string(schema_version) + "; run the version that wrote it"};
    return *version;
}

Result<std::string> migrate(Database& database, std::uint64_t from) {
    if (from == schema_version) return std::string{};
    ::sqlite3_create_function_v2(database.raw(), "umbra_sum", 4,
                                 SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, nullptr,
                                 &umbra_sum, nullptr, nullptr, nullptr);
    if (auto begun = database.run("BEGIN IMMEDIATE"); !begun.ok()) return begun.error();
    const auto done = run_steps(database, from);
    database.rollback();  // nothing to do after the COMMIT
    if (!done.ok()) return done.error();
    if (from == 0) return std::string{};
    return "migrated " + database.path() + " from schema " + std::to_string(from) + " to " +
           std::to_string(schema_version);
}

}  // namespace umbra::sqlite_storage
