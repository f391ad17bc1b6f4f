// Everything that an instance is, in one sealed file.

#include "backup_content.hpp"
#include "migration_mark.hpp"
#include "offline_instance.hpp"
#include "offline_storage.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/instance/offline.hpp>

#include <chrono>
#include <utility>

namespace umbra::instance {

namespace {

namespace fs = std::filesystem;

/// A backup must not take the place of something, the instance file above all, which is the FILE of
/// other commands.
Result<Done> check_place(const fs::path& target, const fs::path& data_dir) {
    std::error_code code;
    if (fs::symlink_status(target, code).type() != fs::file_type::not_found) {
        return Error{Errc::conflict, target.string() +
                                         " exists already; name a file that does not, the backup "
                                         "is written there"};
    }
    const auto inside = fs::weakly_canonical(fs::absolute(target, code), code)
                            .lexically_relative(fs::weakly_canonical(data_dir, code));
    if (!inside.empty() && *inside.begin() != "..") {
        return Error{Errc::invalid, target.string() +
                                        " is in the data directory, which is what is "
                                        "to be saved; name a file elsewhere"};
    }
    return Done{};
}

Result<BackupContent> read_everything(const OfflineInstance& instance) {
    const auto held = hold_directory(instance.config);
    if (!held) {
        Error error = held.error();
        if (error.code == Errc::conflict) {
            error.message +=
                "\na master that is stopped hands its role to the shadow first, so the "
                "pair goes on while it is saved";
        }
        return error;
    }
    const auto& config = instance.config;
    auto whole = check_migrated(config.data_dir, config.storage);
    if (!whole) return whole.error();
    BackupContent content;
    content.version = UMBRA_VERSION;
    content.instance = config.name;
    content.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
    std::error_code code;
    content.instance_file = fs::absolute(instance.source.name(), code).string();
    content.instance_text = instance.source.text();
    OfflineLoop loop;
    const auto storage = OfflineStorage::open(
        loop, *instance.registry,
        {config.name, config.storage.plugin, config.storage.options, instance.storage_dir()});
    if (!storage) return storage.error();
    auto log = (*storage)->read();
    if (!log) return log.error();
    content.log = std::move(*log);
    auto files = collect_files(config.data_dir);
    if (!files) return files.error();
    content.files = std::move(*files);
    return content;
}

}  // namespace

Result<std::string> write_backup(const BackupRequest& request, const AskPassphrase& ask) {
    const auto instance = read_instance(request.file);
    if (!instance) return instance.error();
    auto free = check_place(request.target, instance->config.data_dir);
    if (!free) return free.error();
    // The lock is held only while everything is read: the passphrase and its derivation take time.
    const auto content = read_everything(*instance);
    if (!content) return content.error();
    const auto passphrase = ask();
    if (!passphrase) return passphrase.error();
    if (passphrase->view().size() < passphrase_bytes_min) {
        return Error{Errc::invalid, "the passphrase is too short, it needs " +
                                        std::to_string(passphrase_bytes_min) +
                                        " bytes or more; several words are easy to remember"};
    }
    const seal::Secret bytes{encode(*content)};
    const auto sealed = seal::seal(bytes.view(), *passphrase, request.cost);
    if (!sealed) return sealed.error();
    auto written = base::replace_file(request.target, *sealed);
    if (!written) return written.error();
    return "saved " + content->instance + " in " + request.target.string() + ": " +
           content->log.describe() + ", " + std::to_string(content->files.size()) +
           (content->files.size() == 1 ? " file" : " files") +
           " with its identity and state, and the instance file";
}

}  // namespace umbra::instance
