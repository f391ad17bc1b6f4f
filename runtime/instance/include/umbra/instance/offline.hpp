#pragma once

#include <umbra/core/document.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/seal/seal.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace umbra::instance {

// Work on an instance that does not run. Each takes the lock of the data directory and blocks until
// it is done. To be called by the owner of the directory, or by root, who then works as the owner.
//
// Errors: one sentence, then lines of detail if there are any. `conflict` the instance runs, or
// what would be written to is not empty; `invalid` a file with mistakes, or what cannot be meant;
// `data_loss` damage; `canceled` SIGINT, SIGTERM or SIGHUP came.

struct MigrateRequest {
    std::filesystem::path file;    ///< Instance file; its [storage] is one of the two.
    std::string from, to;          ///< Storage plugins.
    std::vector<std::string> set;  ///< KEY=VALUE: options of the one that the file does not name.
};

/// `umbra storage migrate`: copies the configuration log and its snapshot from one storage into an
/// empty one, reads that back and compares. The source stays as it is and in use until the instance
/// file names the other. A migration that was interrupted is begun anew by the same call; until
/// then no instance starts with what it left.
/// @return What was done and what to change, for people.
[[nodiscard]] Result<std::string> migrate_storage(const MigrateRequest& request);

struct RepairRequest {
    std::filesystem::path file;  ///< Instance file.
    std::string author;          ///< For the history.
    std::vector<core::Change> changes;
};

/// `umbra config repair`: an edit for what keeps an instance from becoming master, so that no edit
/// is possible: the address of the gateway. Checked like any other; the next start uses it until
/// there is a master, and makes the edit if it is that itself. A revision needs an epoch that was
/// granted, so nothing is written to the log here. Takes the place of a repair that waits.
/// @return What it will change, for people.
[[nodiscard]] Result<std::string> repair_configuration(const RepairRequest& request);

/// Asked once, when everything that can be refused without it was not.
using AskPassphrase = std::function<Result<seal::Secret>()>;

/// Shortest passphrase that a backup is made with.
inline constexpr std::size_t passphrase_bytes_min = 12;

struct BackupRequest {
    std::filesystem::path file;    ///< Instance file.
    std::filesystem::path target;  ///< Must not exist; made with mode 0600, complete or not at all.
    seal::Cost cost = seal::cost_usual;
};

/// `umbra backup`: instance file, identity, state, divergences and the configuration log,
/// encrypted.
/// @return What is in it, for people.
[[nodiscard]] Result<std::string> write_backup(const BackupRequest& request,
                                               const AskPassphrase& ask);

struct RestoreRequest {
    std::filesystem::path source;
    /// Where the instance file is, or is put if it is not there; nothing: where it was.
    std::optional<std::filesystem::path> file;
    std::vector<std::string> set;  ///< KEY=VALUE: options of the storage, for this call.
};

/// `umbra restore`: makes the data directory that the instance file names, which must not be there
/// or be empty. It is written beside it and renamed, so it is there completely or not at all.
///
/// What is restored is another incarnation, a shadow, and takes no role by itself until it has met
/// a master, or an operator says so: a backup does not know who became master since.
/// @return What was done, for people.
[[nodiscard]] Result<std::string> restore_backup(const RestoreRequest& request,
                                                 const AskPassphrase& ask);

}  // namespace umbra::instance
