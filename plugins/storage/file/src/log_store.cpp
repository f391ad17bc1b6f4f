#include "disk_calls.hpp"
#include "fresh_file.hpp"
#include "window.hpp"
#include <umbra/file_storage/log_store.hpp>

#include <algorithm>
#include <cerrno>
#include <unistd.h>
#include <utility>

namespace umbra::file_storage {

namespace {

constexpr std::size_t pid_text_max = 20;
/// Read at once where records follow each other.
constexpr std::size_t read_ahead = std::size_t{256} << 10;

class FileSource final : public Source {
public:
    FileSource(Disk& disk, int fd, std::uint64_t size) : disk_(disk), fd_(fd), size_(size) {}
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    int read(std::uint64_t offset, char* out, std::size_t count) override {
        while (count > 0) {
            const auto got = disk_.read(fd_, out, count, offset);
            if (got < 0) return static_cast<int>(-got);
            if (got == 0) return EIO;  // shorter than it was a moment ago
            const auto step = static_cast<std::size_t>(got);
            out += step;
            count -= step;
            offset += step;
        }
        return 0;
    }

private:
    Disk& disk_;
    int fd_;
    std::uint64_t size_;
};

}  // namespace

Result<Done> LogStore::ready() const {
    if (lost_) return *lost_;
    if (fd_ < 0) return Error{Errc::conflict, "the storage in " + disk_.path({}) + " is not open"};
    return Done{};
}

Result<StorageOpened> LogStore::open() {
    if (lost_) return *lost_;
    if (fd_ >= 0)
        return Error{Errc::conflict, "the storage in " + disk_.path({}) + " is open already"};
    auto detail = [&]() -> Result<std::string> {
        const auto locked = take_lock();
        if (!locked.ok()) return locked.error();
        return recover();
    }();
    if (!detail.ok()) {
        let_go();
        return detail.error();
    }
    return StorageOpened{index_.last, index_.snapshot, std::move(detail).value()};
}

Result<Done> LogStore::close() {
    // For whoever copies the file. Not done, as after a crash, is no harm.
    if (fd_ >= 0 && !lost_ && room_end_ > index_.end) (void)disk_.truncate(fd_, index_.end);
    let_go();
    return Done{};
}

void LogStore::let_go() {
    drop_stage();
    if (fd_ >= 0) disk_.close(std::exchange(fd_, -1));
    // Last: whoever gets the lock next must find everything at rest.
    if (lock_fd_ >= 0) disk_.close(std::exchange(lock_fd_, -1));
}

Result<Done> LogStore::take_lock() {
    const int fd = disk_.open(lock_name, Disk::Open::create);
    if (fd < 0) return disk_error(disk_, "open", lock_name, -fd);
    const int refused = disk_.lock(fd);
    if (refused == 0) {
        lock_fd_ = fd;
        // Only for the text of others: a full disk must not keep the log from being opened.
        (void)disk_.truncate(fd, 0);
        (void)disk_.write(fd, std::to_string(::getpid()) + "\n", 0);
        return Done{};
    }
    std::string holder(pid_text_max, '\0');
    const auto got = disk_.read(fd, holder.data(), holder.size(), 0);
    disk_.close(fd);
    if (-refused != EWOULDBLOCK) return disk_error(disk_, "lock", lock_name, -refused);
    holder.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    holder.resize(std::min(holder.size(), holder.find_first_not_of("0123456789")));
    return Error{Errc::conflict,
                 "the storage in " + disk_.path({}) + " is in use by " +
                     (holder.empty() ? std::string{"another process"} : "process " + holder) +
                     "; stop that instance, or give this one another data_dir",
                 EWOULDBLOCK};
}

Result<std::string> LogStore::recover() {
    if (const int error = disk_.remove(fresh_name); error < 0 && error != -ENOENT)
        return disk_error(disk_, "remove", fresh_name, -error);
    const int fd = disk_.open(log_name, Disk::Open::existing);
    if (fd == -ENOENT) {
        const auto started = start_empty();
        if (!started.ok()) return started.error();
        return std::string{};
    }
    if (fd < 0) return disk_error(disk_, "open", log_name, -fd);
    fd_ = fd;
    const auto size = disk_.size(fd_);
    if (size < 0) return disk_error(disk_, "inspect", log_name, static_cast<int>(-size));

    FileSource source{disk_, fd_, static_cast<std::uint64_t>(size)};
    auto scanned = scan(source);
    if (!scanned.ok()) {
        Error error = scanned.error();
        error.message.insert(0, disk_.path(log_name) + ": ");
        // Not for ever: the operator may put another file there and open again.
        if (error.code == Errc::data_loss)
            error.message +=
                "; restore a backup, or move the file away so that this instance fetches "
                "everything from its peer";
        if (error.code == Errc::unsupported) error.message += "; run the version that wrote it";
        return error;
    }
    index_ = std::move(scanned.value().index);
    room_end_ = index_.end + scanned.value().room;
    if (scanned.value().torn == 0) return std::string{};
    const auto cut = cut_back();
    if (!cut.ok()) return cut.error();
    return "dropped " + std::to_string(scanned.value().torn) +
           " bytes of an unfinished write at the end of " + disk_.path(log_name) +
           ", after entry " + std::to_string(index_.last.seq);
}

Result<Done> LogStore::start_empty() {
    index_ = Index{};
    return rewrite(nullptr, 1, 0);
}

Result<Done> LogStore::stage(const std::vector<LogEntry>& entries) {
    if (auto r = ready(); !r.ok()) return r;
    const auto& last = staged_offsets_.empty() ? index_.last : staged_last_;
    if (auto fit = storage_queue::check_append(last, entries); !fit.ok()) return fit;
    for (const auto& entry : entries) {
        const auto offset = index_.end + staged_.size();
        append_record(staged_, index_.header, offset, RecordKind::entry, entry, index_.end);
        staged_offsets_.push_back(offset);
        staged_last_ = entry.position;
    }
    return Done{};
}

void LogStore::drop_stage() {
    staged_.clear();
    staged_offsets_.clear();
}

Result<Done> LogStore::commit() {
    if (auto r = ready(); !r.ok()) return r;
    if (staged_.empty()) return Done{};
    if (auto written = write_all(disk_, fd_, staged_, index_.end, log_name); !written.ok()) {
        drop_stage();
        // Durable before the answer: entries that were refused must not come back after a crash.
        if (auto cut = cut_back(); !cut.ok()) return cut;
        return written;
    }
    make_room(index_.end + staged_.size());
    if (const int error = disk_.sync_data(fd_); error < 0) {
        drop_stage();
        return sync_failed(log_name, -error);
    }
    index_.end += staged_.size();
    index_.last = staged_last_;
    index_.offsets.insert(index_.offsets.end(), staged_offsets_.begin(), staged_offsets_.end());
    drop_stage();
    return Done{};
}

/// Part of a commit, so that its sync makes the room durable as well.
void LogStore::make_room(std::uint64_t end) {
    if (end < room_end_ || !may_grow_) return;
    room_end_ = end + room_size;
    may_grow_ = write_all(disk_, fd_, std::string(room_size, '\0'), end, log_name).ok();
    if (may_grow_) return;
    // The records are there; the last bytes of a disk are not to be kept from others.
    (void)disk_.truncate(fd_, end);
    room_end_ = end;
}

Result<Done> LogStore::cut_back() {
    room_end_ = index_.end;
    if (const int error = disk_.truncate(fd_, index_.end); error < 0) {
        auto failure = disk_error(disk_, "cut back", log_name, -error);
        failure.code = Errc::data_loss;
        return lost(std::move(failure));
    }
    if (const int error = disk_.sync_all(fd_); error < 0) return sync_failed(log_name, -error);
    return Done{};
}

Result<LogEntry> LogStore::read_record(Window& window, std::uint64_t offset) {
    const auto head = window.at(offset, record_header_size);
    if (!head.ok()) return disk_error(disk_, "read", log_name, head.error().sys_errno);
    if (const auto header = decode_record_header(*head, index_.header, offset)) {
        const auto rest =
            window.at(offset + record_header_size, header->record_size() - record_header_size);
        if (!rest.ok()) return disk_error(disk_, "read", log_name, rest.error().sys_errno);
        if (body_is_intact(*header, *rest))
            return LogEntry{header->position, std::string{rest->substr(0, header->body_size)}};
    }
    return lost({Errc::data_loss,
                 disk_.path(log_name) + ": the record at offset " + std::to_string(offset) +
                     " was damaged while it was in use; check the disk, then start again"});
}

Result<LogEntry> LogStore::read_record(std::uint64_t offset) {
    FileSource source{disk_, fd_, index_.end};
    Window window{source, record_header_size};
    return read_record(window, offset);
}

Result<std::vector<LogEntry>> LogStore::read(std::uint64_t from_seq, std::size_t max) {
    if (auto r = ready(); !r.ok()) return r.error();
    std::vector<LogEntry> entries;
    FileSource source{disk_, fd_, index_.end};
    Window window{source, read_ahead};
    const auto first = index_.snapshot.seq + 1;
    for (auto i = from_seq > first ? from_seq - first : 0;
         i < index_.offsets.size() && entries.size() < max; ++i) {
        auto entry = read_record(window, index_.offsets[i]);
        if (!entry.ok()) return entry.error();
        entries.push_back(std::move(entry).value());
    }
    return entries;
}

Result<LogEntry> LogStore::read_snapshot() {
    if (auto r = ready(); !r.ok()) return r.error();
    if (index_.snapshot.seq == 0) return LogEntry{};
    return read_record(file_header_size);
}

Result<Done> LogStore::truncate(std::uint64_t seq) {
    if (auto r = ready(); !r.ok()) return r;
    const auto cuts = storage_queue::check_truncate(extent(), seq);
    if (!cuts.ok()) return cuts.error();
    if (!*cuts) return Done{};
    auto snapshot = read_snapshot();
    if (!snapshot.ok()) return snapshot.error();
    return rewrite(&snapshot.value(), index_.snapshot.seq + 1, seq);
}

Result<Done> LogStore::install(const LogEntry& snapshot) {
    if (auto r = ready(); !r.ok()) return r;
    if (auto fit = storage_queue::check_snapshot(snapshot); !fit.ok()) return fit;
    return rewrite(&snapshot, 1, 0);
}

Result<Done> LogStore::compact(const LogEntry& snapshot) {
    if (auto r = ready(); !r.ok()) return r;
    if (auto fit = storage_queue::check_snapshot(snapshot); !fit.ok()) return fit;
    const auto seq = snapshot.position.seq;
    std::optional<LogPosition> known;
    if (seq > index_.snapshot.seq && seq <= index_.last.seq) {
        const auto entry = read_record(index_.offsets[seq - index_.snapshot.seq - 1]);
        if (!entry.ok()) return entry.error();
        known = entry->position;
    }
    if (auto fit = storage_queue::check_compact(extent(), snapshot, known); !fit.ok()) return fit;
    return rewrite(&snapshot, seq + 1, index_.last.seq);
}

Result<Done> LogStore::rewrite(const LogEntry* snapshot, std::uint64_t from, std::uint64_t to) {
    FreshFile fresh{disk_};
    FileSource source{disk_, fd_, index_.end};
    Window window{source, read_ahead};
    const auto filled = [&]() -> Result<Done> {
        if (auto opened = fresh.open(); !opened.ok()) return opened;
        if (snapshot != nullptr && snapshot->position.seq != 0)
            if (auto put = fresh.add(RecordKind::snapshot, *snapshot); !put.ok()) return put;
        for (auto seq = from; seq <= to; ++seq) {
            const auto entry = read_record(window, index_.offsets[seq - index_.snapshot.seq - 1]);
            if (!entry.ok()) return entry.error();
            if (auto put = fresh.add(RecordKind::entry, entry.value()); !put.ok()) return put;
        }
        return fresh.seal();
    }();
    if (!filled.ok()) return filled.error();
    if (const int error = disk_.sync_all(fresh.fd()); error < 0)
        return sync_failed(fresh_name, -error);
    if (const int error = disk_.rename(fresh_name, log_name); error < 0)
        return disk_error(disk_, "rename", fresh_name, -error);
    // From here on the new file is the log; whether it stays is known after the directory's sync.
    if (fd_ >= 0) disk_.close(fd_);
    index_ = fresh.index();
    room_end_ = index_.end;
    may_grow_ = true;
    fd_ = fresh.release();
    if (const int error = disk_.sync_directory(); error < 0) return sync_failed("", -error);
    return Done{};
}

Error LogStore::lost(Error error) {
    lost_ = error;
    return error;
}

Error LogStore::sync_failed(std::string_view name, int error) {
    auto failure = disk_error(disk_, "make durable", name, error);
    failure.code = Errc::data_loss;
    failure.message += "; what is on the disk is unknown, check it and start the instance again";
    return lost(std::move(failure));
}

}  // namespace umbra::file_storage
