// An instance from its backup.

#include "backup_content.hpp"
#include "offline_instance.hpp"
#include "offline_storage.hpp"
#include "state_file.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/instance/offline.hpp>

#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace umbra::instance {

namespace {

namespace fs = std::filesystem;

Error with_place(const fs::path& path, Error error) {
    error.message = path.string() + " " + error.message;
    return error;
}

Error failed_call(const char* what, const fs::path& path) {
    const int code = errno;
    return {code == EACCES || code == EPERM ? Errc::denied : Errc::unavailable,
            std::string{what} + " " + path.string() + ": " + std::strerror(code), code};
}

/// Writes a data directory beside its place and puts it there when it is complete. What is not
/// finished is removed; what a kill left behind, by the next restore.
class NewDirectory {
public:
    explicit NewDirectory(const fs::path& place) {
        std::error_code code;
        // A link leads to the directory that is made anew; it stays.
        place_ = fs::weakly_canonical(fs::absolute(place, code), code);
        while (place_.filename().empty()) place_ = place_.parent_path();
        draft_ = place_;
        draft_ += ".restoring";
    }
    NewDirectory(const NewDirectory&) = delete;
    NewDirectory& operator=(const NewDirectory&) = delete;
    ~NewDirectory() {
        std::error_code ignored;
        if (done_) return;
        if (lock_) {
            fs::remove_all(draft_, ignored);
        } else if (begun_) {
            // Somebody else may work in it; then it is not empty, and stays.
            fs::remove(draft_, ignored);
        }
    }
    [[nodiscard]] const fs::path& draft() const { return draft_; }

    Result<Done> check_free() {
        struct stat about {};
        if (::lstat(place_.c_str(), &about) != 0) {
            if (errno == ENOENT) return Done{};
            return failed_call("cannot examine", place_);
        }
        std::error_code code;
        if (!S_ISDIR(about.st_mode) || !fs::is_empty(place_, code) || code) {
            return Error{Errc::conflict,
                         place_.string() + " is not empty; move it away, a restore makes it anew"};
        }
        struct stat beside {};
        if (::stat(place_.parent_path().c_str(), &beside) != 0 || beside.st_dev != about.st_dev) {
            return Error{Errc::conflict, place_.string() +
                                             " is a mount point, which cannot be replaced; make "
                                             "data_dir a directory in it"};
        }
        owner_ = std::pair{about.st_uid, about.st_gid};
        return Done{};
    }

    /// Nobody else works on the draft from here on.
    Result<Done> begin() {
        begun_ = true;
        auto made = base::make_private_directory(draft_);
        if (!made) {
            return Error{made.error().code,
                         made.error().message +
                             "; the data directory is made beside its place, so run this as root, "
                             "or as a user that may write there"};
        }
        auto lock = DataDirLock::take(draft_);
        if (!lock) return lock.error();
        lock_.emplace(std::move(lock).value());
        std::error_code code;
        for (const auto& entry : fs::directory_iterator{draft_, code}) {
            if (entry.path().filename() != "lock") fs::remove_all(entry.path(), code);
            if (code)
                return Error{Errc::unavailable, entry.path().string() + ": " + code.message()};
        }
        return Done{};
    }

    /// To whom everything belongs; nothing when that is this user.
    [[nodiscard]] std::optional<std::pair<uid_t, gid_t>> other_owner() const {
        if (!owner_ || owner_->first == ::geteuid()) return std::nullopt;
        return owner_;
    }

    Result<Done> finish() {
        if (auto given = give_away(); !given) return given;
        if (::rename(draft_.c_str(), place_.c_str()) != 0) {
            return failed_call("cannot put what was restored to", place_);
        }
        done_ = true;
        return base::sync_directory(place_.parent_path());
    }

private:
    /// Root restores for the service: everything belongs to whom the empty directory belonged.
    Result<Done> give_away() {
        const auto owner = other_owner();
        std::vector<fs::path> all{draft_};
        std::error_code code;
        for (const auto& entry : fs::recursive_directory_iterator{draft_, code}) {
            all.push_back(entry.path());
        }
        if (code) return Error{Errc::unavailable, draft_.string() + ": " + code.message()};
        for (const auto& path : all) {
            if (owner && ::lchown(path.c_str(), owner->first, owner->second) != 0) {
                return failed_call("cannot change the owner of", path);
            }
            if (!fs::is_directory(path, code)) continue;
            if (auto synced = base::sync_directory(path); !synced) return synced;
        }
        return Done{};
    }

    fs::path place_, draft_;
    std::optional<std::pair<uid_t, gid_t>> owner_;
    std::optional<DataDirLock> lock_;
    bool begun_ = false;
    bool done_ = false;
};

Result<BackupContent> open_backup(const fs::path& source, const AskPassphrase& ask) {
    const auto sealed = base::read_file(source, seal::sealed_bytes(seal::content_bytes_max));
    if (!sealed) return sealed.error();
    // What needs no passphrase is said before somebody types it.
    if (auto front = seal::check_header(*sealed); !front) return with_place(source, front.error());
    const auto passphrase = ask();
    if (!passphrase) return passphrase.error();
    const auto bytes = seal::unseal(*sealed, *passphrase);
    if (!bytes) return with_place(source, bytes.error());
    auto content = decode_backup(bytes->view());
    if (!content) return with_place(source, content.error());
    return content;
}

/// The instance file: the one that stands there, which may fit another machine better, or that of
/// the backup.
Result<OfflineInstance> instance_of(const BackupContent& content, const fs::path& file,
                                    bool is_there) {
    auto instance = is_there ? read_instance(file)
                             : read_instance(config::Source::from_text(
                                   content.instance_text, file.string(), file.parent_path()));
    if (!instance) {
        Error error = instance.error();
        if (!is_there) {
            error.message += "\nthis is the instance file of the backup; put a corrected one to " +
                             file.string();
        }
        return error;
    }
    if (instance->config.name != content.instance) {
        return Error{Errc::conflict,
                     "the backup is of " + content.instance + ", but " + file.string() + " is of " +
                         instance->config.name +
                         "; name another place for the instance file with --config"};
    }
    return instance;
}

Result<Done> place_instance_file(const fs::path& file, const std::string& text,
                                 std::optional<std::pair<uid_t, gid_t>> owner) {
    auto written = base::replace_file(file, text);
    if (!written || !owner) return written;
    if (::lchown(file.c_str(), owner->first, owner->second) != 0) {
        return failed_call("cannot change the owner of", file);
    }
    return Done{};
}

/// A disk that is not the one on which the instance was master, whatever the backup says.
Result<Done> restore_as_newcomer(const fs::path& directory, const std::string& name) {
    auto state = load_state(directory);
    if (!state) return state.error();
    if (!*state || (*state)->name != name) {
        return Error{Errc::data_loss, "the backup has no state of " + name};
    }
    InstanceState fresh = std::move(**state);
    make_newcomer(fresh);
    return save_state(directory, fresh);
}

/// Whether everything of `older` is in `newer`, as far as that goes back.
bool continues(const StoredLog& newer, const StoredLog& older) {
    const LogPosition last = older.last();
    if (last.seq > newer.last().seq) return false;
    if (newer.snapshot && last.seq < newer.snapshot->position.seq) return true;
    if (newer.snapshot && last.seq == newer.snapshot->position.seq) {
        return last == newer.snapshot->position;
    }
    const std::uint64_t before = newer.snapshot ? newer.snapshot->position.seq : 0;
    return last.seq == 0 || newer.entries[last.seq - before - 1].position == last;
}

/// An external storage outlives the disk: what it has is kept if the backup is a part of it.
Result<std::string> fill_storage(const OfflineInstance& instance, const fs::path& directory,
                                 const config::OptionValues& options, const StoredLog& log) {
    OfflineLoop loop;
    const OfflineStorage::Place place{instance.config.name, instance.config.storage.plugin, options,
                                      directory / "storage"};
    {
        const auto storage = OfflineStorage::open(loop, *instance.registry, place);
        if (!storage) return storage.error();
        if (!(*storage)->was_empty()) {
            const auto there = (*storage)->read();
            if (!there) return there.error();
            if (continues(*there, log)) {
                return "kept what the storage " + place.plugin + " has, " + there->describe();
            }
            return Error{Errc::conflict,
                         "the storage " + place.plugin + " is not empty: it holds " +
                             there->describe() +
                             ", which does not continue the backup; empty it, or name another "
                             "place with --set"};
        }
    }
    if (auto written = write_verified(loop, *instance.registry, place, log); !written) {
        return written.error();
    }
    return "wrote " + log.describe() + " to the storage " + place.plugin;
}

std::string next_steps(const OfflineInstance& instance) {
    const auto& config = instance.config;
    return "it starts as shadow, a new incarnation, and takes no role by itself until it has met a "
           "master\nwhere no other instance is left: umbra-gateway admit " +
           config.name +
           ", then umbra switch --force here; without a gateway: umbra role set master "
           "--data-dir " +
           config.data_dir.string();
}

}  // namespace

Result<std::string> restore_backup(const RestoreRequest& request, const AskPassphrase& ask) {
    const auto content = open_backup(request.source, ask);
    if (!content) return content.error();
    const fs::path file = request.file.value_or(content->instance_file);
    std::error_code code;
    const bool is_there = fs::exists(file, code);
    const auto instance = instance_of(*content, file, is_there);
    if (!instance) return instance.error();
    const auto options = storage_options(*instance, instance->config.storage.plugin,
                                         instance->storage_options(), request.set);
    if (!options) return options.error();

    NewDirectory directory{instance->config.data_dir};
    if (auto free = directory.check_free(); !free) return free.error();
    if (auto begun = directory.begin(); !begun) return begun.error();
    if (auto kept = write_files(directory.draft(), content->files); !kept) return kept.error();
    if (auto made = restore_as_newcomer(directory.draft(), content->instance); !made)
        return made.error();
    const auto filled = fill_storage(*instance, directory.draft(), *options, content->log);
    if (!filled) return filled.error();
    std::string about_file = "kept the instance file " + file.string();
    if (!is_there) {
        // Before the directory: after a crash in between the same restore can be run again.
        auto placed = place_instance_file(file, content->instance_text, directory.other_owner());
        if (!placed) return placed.error();
        about_file = "wrote the instance file " + file.string();
    } else if (instance->source.text() != content->instance_text) {
        about_file += ", which is not that of the backup";
    }
    if (::geteuid() == 0 && !directory.other_owner()) {
        about_file +=
            "\neverything belongs to root; change the owner if the service is another user";
    }
    if (auto put = directory.finish(); !put) return put.error();
    return "restored " + content->instance + " to " + instance->config.data_dir.string() + "\n" +
           *filled + "\n" + about_file + "\n" + next_steps(*instance);
}

}  // namespace umbra::instance
