#include "backup_content.hpp"

#include "migration_mark.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/core/bytes.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace umbra::instance {

/// A place in the log with its bytes, as it stands in a backup.
struct KeptEntry {
    core::Position position;
    std::string body;
};
template <class A>
void visit(A& a, KeptEntry& e) {
    a(e.position)(e.body);
}
template <class A>
void visit(A& a, BackupFile& f) {
    a(f.path)(f.bytes);
}

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t content_version = 1;

KeptEntry to_kept(const LogEntry& entry) {
    return {{{entry.position.epoch, entry.position.seq}, entry.position.hash}, entry.body};
}
LogEntry from_kept(KeptEntry kept) {
    const auto& at = kept.position;
    return {{at.revision.seq, at.revision.epoch, at.hash}, std::move(kept.body)};
}

Error not_a_backup(const std::string& what) {
    return {Errc::data_loss, "holds " + what + "; it was not written by \"umbra backup\""};
}

/// Only names that lead downwards, as `collect_files` makes them.
bool is_path_inside(const std::string& text) {
    const fs::path path{text};
    return !text.empty() && text.size() <= backup_path_bytes_max && path.is_relative() &&
           text.find('\0') == std::string::npos &&
           std::ranges::none_of(path, [](const fs::path& part) {
               return part.empty() || part == "." || part == "..";
           });
}

/// Names at the top of a data directory that are of no use elsewhere.
bool stays_behind(const fs::path& name) {
    return name == "lock" || name == "storage" || name == migration_mark_name;
}

Result<Done> check_files(const std::vector<BackupFile>& files) {
    std::set<std::string> seen;
    if (files.size() > backup_files_max) return not_a_backup("too many files");
    for (const BackupFile& file : files) {
        if (!is_path_inside(file.path) || stays_behind(*fs::path{file.path}.begin())) {
            return not_a_backup("a file at a place where none may be");
        }
        if (!seen.insert(file.path).second) return not_a_backup("a file twice");
    }
    return Done{};
}

/// @return Whether the entry belongs into a backup.
Result<bool> is_kept(const fs::directory_entry& entry) {
    std::error_code code;
    const auto kind = entry.symlink_status(code).type();
    if (kind == fs::file_type::symlink) {
        return Error{Errc::invalid, entry.path().string() +
                                        " is a symbolic link; a backup holds files, put the file "
                                        "itself there"};
    }
    return kind == fs::file_type::regular && entry.path().extension() != ".tmp";
}

}  // namespace

std::string encode(const BackupContent& content) {
    core::Writer out;
    out(content_version)(content.version)(content.instance)(content.time_ms)(content.instance_file)(
        content.instance_text);
    std::optional<KeptEntry> snapshot;
    if (content.log.snapshot) snapshot = to_kept(*content.log.snapshot);
    std::vector<KeptEntry> entries;
    entries.reserve(content.log.entries.size());
    for (const auto& entry : content.log.entries) entries.push_back(to_kept(entry));
    return out(snapshot)(entries)(content.files).take();
}

Result<BackupContent> decode_backup(std::string_view bytes) {
    core::Reader in{bytes};
    std::uint32_t version = 0;
    in(version);
    if (in.ok() && version != content_version) {
        return Error{Errc::unsupported, "has content of version " + std::to_string(version) +
                                            ", this program reads " +
                                            std::to_string(content_version) +
                                            "; use the version of umbra that wrote it"};
    }
    BackupContent content;
    std::optional<KeptEntry> snapshot;
    std::vector<KeptEntry> entries;
    in(content.version)(content.instance)(content.time_ms)(content.instance_file)(
        content.instance_text)(snapshot)(entries)(content.files);
    if (!in.finished()) return not_a_backup("something else than an instance");
    if (snapshot) content.log.snapshot = from_kept(std::move(*snapshot));
    content.log.entries.reserve(entries.size());
    for (auto& entry : entries) content.log.entries.push_back(from_kept(std::move(entry)));
    if (auto fit = check_files(content.files); !fit) return fit.error();
    if (!check_chain(content.log))
        return not_a_backup("a configuration log that does not fit together");
    return content;
}

Result<std::vector<BackupFile>> collect_files(const fs::path& data_dir) {
    std::vector<BackupFile> files;
    std::error_code code;
    fs::recursive_directory_iterator next{data_dir, code};
    for (; !code && next != fs::recursive_directory_iterator{}; next.increment(code)) {
        if (next.depth() == 0 && stays_behind(next->path().filename())) {
            next.disable_recursion_pending();
            continue;
        }
        const auto kept = is_kept(*next);
        if (!kept) return kept.error();
        if (!*kept) continue;
        if (files.size() == backup_files_max) {
            return Error{Errc::exhausted, data_dir.string() + " has more than the " +
                                              std::to_string(backup_files_max) +
                                              " files that a backup may hold"};
        }
        auto bytes = base::read_file(next->path(), backup_file_bytes_max);
        if (!bytes) return bytes.error();
        files.push_back({next->path().lexically_relative(data_dir).string(), std::move(*bytes)});
    }
    if (code) return Error{Errc::unavailable, data_dir.string() + ": " + code.message()};
    std::ranges::sort(files, {}, &BackupFile::path);
    return files;
}

Result<Done> write_files(const fs::path& directory, const std::vector<BackupFile>& files) {
    for (const BackupFile& file : files) {
        fs::path place = directory;
        const fs::path inside = fs::path{file.path}.parent_path();
        for (const fs::path& part : inside) {
            place /= part;
            if (auto made = base::make_private_directory(place); !made) return made;
        }
        auto written = base::replace_file(directory / file.path, file.bytes);
        if (!written) return written;
    }
    return Done{};
}

}  // namespace umbra::instance
