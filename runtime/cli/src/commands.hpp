#pragma once

#include "client.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace umbra::cli {

// Each command is a function from its arguments to an exit status. They print results on stdout and
// errors on stderr. None of them knows how a command line is parsed.

// status.cpp
int show_status(const Connection& connection, bool watch);
int show_alerts(const Connection& connection);
/// Why the role is what it is: changes, and changes that did not happen, oldest first.
int explain(const Connection& connection, unsigned max);

// operate.cpp
int switch_roles(const Connection& connection, bool force);
int pause(const Connection& connection, const std::string& length);
int resume(const Connection& connection);
/// The instance reads its file again: what was applied, what needs a restart.
int reload(const Connection& connection);
/// @param verb  enable disable connect disconnect reset check invite
int peer(const Connection& connection, const std::string& verb);
/// @param invitation  "-": read from stdin, which keeps it out of the list of processes.
int peer_join(const Connection& connection, const std::string& invitation);
int tunnel_enrol(const Connection& connection, const std::string& tunnel,
                 const std::string& invitation);
int tunnel_rotate_key(const Connection& connection, const std::string& tunnel);
/// Tries everything that a tunnel leads to; fails when anything did.
/// @param tunnel  Empty: all of them.
int tunnel_check(const Connection& connection, const std::string& tunnel);

// shared_config.cpp
struct EditOptions {
    std::string message, author, if_revision, op_id;
    bool dry_run = false;
};
int config_show(const Connection& connection, const std::string& key, const std::string& revision);
int config_get(const Connection& connection, const std::string& key);
int config_set(const Connection& connection, const std::vector<std::string>& pairs,
               const EditOptions& options);
int config_unset(const Connection& connection, const std::vector<std::string>& keys,
                 const EditOptions& options);
/// @param file  "-": read from stdin.
int config_apply(const Connection& connection, const std::string& file, const EditOptions& options);
int config_rollback(const Connection& connection, const std::string& revision,
                    const EditOptions& options);
/// @param sides  Revisions or files. Two: what turns the first into the second. One revision: what
///               turns it into the current one. One file: what applying it would change. None: what
///               the last edit changed.
int config_diff(const Connection& connection, const std::vector<std::string>& sides);

// divergence.cpp
int divergence_list(const Connection& connection);
/// @param id  Empty: the only one that is not resolved. So of the other two.
int divergence_show(const Connection& connection, const std::string& id);
/// @param author  Who decides, for the history; empty = who asks.
int divergence_merge(const Connection& connection, const std::string& id,
                     const std::string& author);
int divergence_drop(const Connection& connection, const std::string& id, const std::string& author);

// shared_config.cpp
int config_history(const Connection& connection, unsigned max);

// offline.cpp: for an instance that does not run
/// @param role  "master" or "shadow"
int role_set(const std::string& role, const std::string& data_dir);
/// @param file  Instance file; so of the next.
/// @param set   KEY=VALUE: options of the storage that the file does not name.
int storage_migrate(const std::string& file, const std::string& from, const std::string& to,
                    const std::vector<std::string>& set);
/// An edit for what keeps it from becoming master.
int config_repair(const std::string& file, const std::vector<std::string>& pairs,
                  const std::string& author);
/// @param passphrase_file  Empty: from the environment or the terminal; so of the next.
int backup(const std::string& target, const std::string& file, const std::string& passphrase_file);
/// @param file  Instance file; empty: where it was.
/// @param set   KEY=VALUE: options of the storage, for this call.
int restore(const std::string& source, const std::string& file, const std::vector<std::string>& set,
            const std::string& passphrase_file);

// run.cpp, check.cpp, plugins.cpp: without a running instance
int run(const std::string& file);
/// @param directories  Where plugins are searched when the file does not say; empty = where they
///                     are installed.
int check(const std::string& file, const std::vector<std::string>& directories);
int plugin_list(const std::vector<std::string>& directories, bool json);
int plugin_inspect(const std::string& file, bool json);
/// Where the plugins of this installation, or of this build tree, are.
std::vector<std::filesystem::path> plugin_directories(const std::vector<std::string>& given);

}  // namespace umbra::cli
