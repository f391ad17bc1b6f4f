// An edit of the configuration of an instance that does not run.

#include "editor.hpp"
#include "migration_mark.hpp"
#include "offline_instance.hpp"
#include "offline_storage.hpp"
#include "repair_file.hpp"
#include "sha256.hpp"
#include <umbra/instance/offline.hpp>

#include <utility>

namespace umbra::instance {

namespace {

core::Position to_position(const LogPosition& p) { return {{p.epoch, p.seq}, p.hash}; }

/// @pre the chain of `stored` was checked
Result<core::Log> decode(const StoredLog& stored) {
    core::Log log(&sha256);
    const auto damaged = [](const std::string& what) {
        return Error{Errc::data_loss, "the stored configuration is damaged: " + what};
    };
    if (stored.snapshot) {
        auto content =
            core::decode_snapshot(to_position(stored.snapshot->position), stored.snapshot->body);
        if (!content) return damaged("the snapshot cannot be read");
        log.install(std::move(*content));
    }
    for (const auto& entry : stored.entries) {
        if (!log.push(entry.body) || log.last() != to_position(entry.position)) {
            return damaged("entry " + std::to_string(entry.position.seq) +
                           " does not follow the one before it");
        }
    }
    return log;
}

Error to_error(const Reply& reply) {
    std::string text = reply.message;
    for (const auto& line : reply.details) text += "\n" + line;
    return {Errc::invalid, std::move(text)};
}

}  // namespace

Result<std::string> repair_configuration(const RepairRequest& request) {
    const auto instance = read_instance(request.file);
    if (!instance) return instance.error();
    const auto& config = instance->config;
    const auto held = hold_directory(config);
    if (!held) return held.error();
    auto whole = check_migrated(config.data_dir, config.storage);
    if (!whole) return whole.error();
    OfflineLoop loop;
    const auto storage = OfflineStorage::open(
        loop, *instance->registry,
        {config.name, config.storage.plugin, config.storage.options, instance->storage_dir()});
    if (!storage) return storage.error();
    const auto stored = (*storage)->read();
    if (!stored) return stored.error();
    if (stored->empty()) {
        return Error{Errc::conflict,
                     "nothing is stored yet; correct the file of [shared] initial instead"};
    }
    auto log = decode(*stored);
    if (!log) return log.error();

    Edit edit;
    edit.author = request.author;
    edit.message = "repair of " + config.name + ", which did not run";
    edit.op_id = random_hex(16);
    edit.changes = request.changes;
    auto checked = check_edit(edit, *log, *instance->registry);
    if (const auto* reply = std::get_if<Reply>(&checked)) {
        if (reply->outcome == Outcome::done) return reply->message;
        return to_error(*reply);
    }
    if (auto saved = save_repair(config.data_dir, edit); !saved) return saved.error();
    return std::get<CheckedEdit>(checked).diff + "kept for the next start of " + config.name +
           ", which uses it until there is a master: it makes the edit if it is that itself, else "
           "it forgets it";
}

}  // namespace umbra::instance
