#include "register_file.hpp"

#include <umbra/base/durable_file.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace umbra::gateway {
namespace {

constexpr std::size_t length_bytes = 4;

Error failed(const std::filesystem::path& path, const char* what, Errc code = Errc::data_loss) {
    const int number = errno;
    return {code,
            std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(number),
            number};
}

/// Reads up to `bytes.size()`; less only at the end of the file.
ssize_t read_at(int descriptor, std::span<std::uint8_t> bytes, std::size_t offset) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t got = ::pread(descriptor, bytes.data() + done, bytes.size() - done,
                                    static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return static_cast<ssize_t>(done);
}

struct Slot {
    bool empty = true;
    std::optional<Record> record;  ///< Absent in a slot that is not empty: damaged.
};

Result<Slot> read_slot(int descriptor, const std::filesystem::path& path, std::size_t offset) {
    Bytes bytes(length_bytes + record_bytes_max);
    const ssize_t got = read_at(descriptor, bytes, offset);
    if (got < 0) return failed(path, "read", Errc::unavailable);
    bytes.resize(static_cast<std::size_t>(got));
    Slot slot;
    for (const std::uint8_t byte : bytes) slot.empty &= byte == 0;
    if (slot.empty) return slot;
    Reader in(bytes);
    const std::size_t length = in.u32();
    if (!in.ok() || length > in.rest().size()) return slot;
    if (auto record = decode_record(in.rest().first(length)))
        slot.record = std::move(record).value();
    return slot;
}

}  // namespace

RegisterFile::RegisterFile(int descriptor, std::filesystem::path path)
    : descriptor_(descriptor), path_(std::move(path)) {}

RegisterFile::RegisterFile(RegisterFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      fill_both_(other.fill_both_) {}

RegisterFile& RegisterFile::operator=(RegisterFile&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(path_, other.path_);
    std::swap(fill_both_, other.fill_both_);
    return *this;
}

RegisterFile::~RegisterFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Result<RegisterFile::Opened> RegisterFile::open(const std::filesystem::path& path, bool expected) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return failed(path, "open", Errc::unavailable);
    Opened opened{RegisterFile(descriptor, path), {}, false};
    bool all = true;
    for (const std::size_t offset : {std::size_t{0}, slot_bytes}) {
        auto slot = read_slot(descriptor, path, offset);
        if (!slot) return slot.error();
        all &= !slot->empty;
        if (slot->empty) continue;
        if (!slot->record) {
            opened.lost = true;
        } else if (slot->record->serial >= opened.record.serial) {
            opened.record = *std::move(slot->record);
        }
    }
    // The first store fills both slots. One that is empty now may have held the newer record, and
    // an older epoch must not be granted again. (A new file may be half made.)
    if (!all && (expected || opened.record.serial > 0)) opened.lost = true;
    opened.file.fill_both_ = !all || opened.lost;
    if (!all) {
        // What is lost stays as it is until the next store, so that it still is after another
        // start.
        if (!opened.lost) {
            if (auto stored = opened.file.store(opened.record); !stored) return stored.error();
        }
        if (auto synced = base::sync_directory(path.parent_path()); !synced) return synced.error();
    }
    return opened;
}

Result<Done> RegisterFile::store(const Record& record) {
    const std::size_t own = record.serial % 2 == 0 ? 0 : slot_bytes;
    if (auto written = write_slot(record, own); !written) return written;
    if (fill_both_) {
        if (auto written = write_slot(record, slot_bytes - own); !written) return written;
    }
    // Never repeated: after a failure the kernel may call lost pages clean.
    if (::fdatasync(descriptor_) != 0) return failed(path_, "sync");
    fill_both_ = false;
    return Done{};
}

Result<Done> RegisterFile::write_slot(const Record& record, std::size_t offset) const {
    const Bytes encoded = encode(record);
    Writer out;
    out.u32(static_cast<std::uint32_t>(encoded.size()));
    out.raw(encoded);
    const Bytes bytes = std::move(out).take();
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(offset + done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return failed(path_, "write");
        done += static_cast<std::size_t>(put);
    }
    return Done{};
}

}  // namespace umbra::gateway
