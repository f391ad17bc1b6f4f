// Another storage for the configuration of an instance that does not run.

#include "migration_mark.hpp"
#include "offline_instance.hpp"
#include "offline_storage.hpp"
#include <umbra/config/shared_document.hpp>
#include <umbra/instance/offline.hpp>

#include <algorithm>
#include <utility>

namespace umbra::instance {

namespace {

class Migration {
public:
    Migration(OfflineInstance instance, const MigrateRequest& request)
        : instance_(std::move(instance)), request_(request) {}

    Result<std::string> run() {
        if (auto chosen = choose_sides(); !chosen) return chosen.error();
        const auto held = hold_directory(instance_.config);
        if (!held) return held.error();
        const auto log = read_source();
        if (!log) return log.error();
        auto begun = begin();
        if (!begun) return begun.error();
        auto copied = write_verified(loop_, *instance_.registry, place(request_.to, to_), *log);
        if (!copied) return not_finished(copied.error());
        std::erase(*begun, unfinished());
        if (auto saved = save_migrations(instance_.config.data_dir, *begun); !saved) {
            return not_finished(saved.error());
        }
        return "copied " + log->describe() + ", from " + request_.from + " to " + request_.to +
               ", read it back and compared it\n" + what_to_change();
    }

private:
    /// The file has the options of the storage that it names; those of the other are --set.
    Result<Done> choose_sides() {
        const std::string& named = instance_.config.storage.plugin;
        from_is_named_ = request_.from == named;
        if (!from_is_named_ && request_.to != named) {
            return Error{Errc::invalid, instance_.source.name() + " has [storage] plugin = \"" +
                                            named + "\", which is neither " + request_.from +
                                            " nor " + request_.to +
                                            "; --from is the storage that is in use"};
        }
        auto other = storage_options(instance_, from_is_named_ ? request_.to : request_.from,
                                     nullptr, request_.set);
        if (!other) return other.error();
        from_ = from_is_named_ ? instance_.config.storage.options : *other;
        to_ = from_is_named_ ? *other : instance_.config.storage.options;
        if (unfinished().from == unfinished().to) {
            return Error{Errc::invalid, "from and to are the same storage, " + request_.from +
                                            " with the same options; there is nothing to do"};
        }
        return Done{};
    }

    [[nodiscard]] UnfinishedMigration unfinished() const {
        return {StorageName::of(request_.from, from_), StorageName::of(request_.to, to_)};
    }
    [[nodiscard]] OfflineStorage::Place place(const std::string& plugin,
                                              const config::OptionValues& options) const {
        return {instance_.config.name, plugin, options, instance_.storage_dir()};
    }

    /// A source that is itself the half of something is no source.
    Result<StoredLog> read_source() {
        auto whole = check_migrated(instance_.config.data_dir, {request_.from, from_});
        if (!whole) return whole.error();
        const auto source =
            OfflineStorage::open(loop_, *instance_.registry, place(request_.from, from_));
        if (!source) return source.error();
        return (*source)->read();
    }

    /// Looks whether the target is empty, and remembers that it is written to.
    Result<std::vector<UnfinishedMigration>> begin() {
        const auto& directory = instance_.config.data_dir;
        auto list = load_migrations(directory);
        if (!list) return list.error();
        const bool again = std::ranges::find(*list, unfinished()) != list->end();
        if (!again) {
            if (auto empty = check_empty(); !empty) return empty.error();
            list->push_back(unfinished());
            if (auto saved = save_migrations(directory, *list); !saved) return saved.error();
        }
        return list;
    }

    Result<Done> check_empty() {
        const auto target =
            OfflineStorage::open(loop_, *instance_.registry, place(request_.to, to_));
        if (!target) return target.error();
        if ((*target)->was_empty()) return Done{};
        const LogPosition& last = (*target)->found().last;
        return Error{Errc::conflict, request_.to + " in " + instance_.storage_dir().string() +
                                         " is not empty: it holds a configuration up to revision " +
                                         core::to_string({last.epoch, last.seq}) +
                                         "; move it away, or name another place with --set"};
    }

    [[nodiscard]] Error not_finished(Error error) const {
        error.message += "\n" + request_.from +
                         " is untouched and stays in use; the same command "
                         "begins again";
        return error;
    }

    [[nodiscard]] std::string what_to_change() const {
        const std::string& name = instance_.source.name();
        if (!from_is_named_) return name + " names " + request_.to + " already: nothing to change";
        std::string text = "write in " + name + ", ";
        const auto* const storage = instance_.root.find("storage");
        std::string lines;
        for (const char* const key : {"plugin", "options"}) {
            const auto* const entry = storage == nullptr ? nullptr : storage->value.find(key);
            if (entry == nullptr) continue;
            lines += (lines.empty() ? "in place of line " : " and line ") +
                     std::to_string(entry->at.line) + " (" + key + ")";
        }
        text += lines.empty() ? "below [storage]" : lines;
        return text + ":\n" + new_lines();
    }

    [[nodiscard]] std::string new_lines() const {
        std::string options;
        for (const std::string& word : request_.set) {
            const auto split = word.find('=');
            const auto changes =
                config::set_changes({}, word.substr(0, split), word.substr(split + 1));
            for (const auto& change : *changes) {
                options += (options.empty() ? "" : ", ") + change.key + " = " + *change.literal;
            }
        }
        std::string text = "    plugin = \"" + request_.to + "\"";
        return options.empty() ? text : text + "\n    options = { " + options + " }";
    }

    OfflineInstance instance_;
    const MigrateRequest& request_;
    OfflineLoop loop_;
    config::OptionValues from_, to_;
    bool from_is_named_ = false;
};

}  // namespace

Result<std::string> migrate_storage(const MigrateRequest& request) {
    auto instance = read_instance(request.file);
    if (!instance) return instance.error();
    return Migration{std::move(instance).value(), request}.run();
}

}  // namespace umbra::instance
