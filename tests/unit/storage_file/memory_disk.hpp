#pragma once

#include <umbra/file_storage/disk.hpp>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace umbra::file_storage {

/// A directory in memory that forgets, as a real one does, what was not synced: when the power
/// goes, every sector that was written since the last sync is there or not, the length is the old
/// one, the new one or between, and of the changes of names a first part is there.
class MemoryDisk final : public Disk {
public:
    /// Asked before every call that changes something, with its number from 0 on: 0 lets it happen,
    /// an errno makes it fail.
    std::function<int(int)> fault = [](int) { return 0; };

    /// Writes reach the disk at once, unasked, as they may at any time; what is cut off does not.
    bool writes_back_at_once = false;

    [[nodiscard]] int calls() const { return calls_; }

    /// Everything that is open is closed, and what was not synced is left to chance.
    void lose_power(std::mt19937& random) {
        const auto kept = random() % (renames_.size() + 1);
        for (std::size_t i = 0; i < kept; ++i) renames_[i](durable_names_);
        renames_.clear();
        names_ = durable_names_;
        for (auto& [name, file] : names_) file->lose_power(random);
        descriptors_.clear();
        locked_ = -1;
        fault = [](int) { return 0; };
    }

    [[nodiscard]] std::string path(std::string_view name) const override {
        return "/memory/" + std::string{name};
    }
    int open(const char* name, Open how) override {
        const auto found = names_.find(name);
        const bool there = found != names_.end();
        if (!there && how == Open::existing) return -ENOENT;
        std::shared_ptr<File> file = there ? found->second : nullptr;
        if (!there || how == Open::truncated) {
            if (const int error = fault(calls_++)) return -error;
            if (!there) {
                file = std::make_shared<File>();
                change([name = std::string{name}, file](Names& names) { names[name] = file; });
            }
            file->current.clear();
        }
        descriptors_[next_] = file;
        return next_++;
    }
    void close(int fd) override {
        descriptors_.erase(fd);
        if (locked_ == fd) locked_ = -1;
    }
    std::int64_t size(int fd) override {
        return static_cast<std::int64_t>(descriptors_.at(fd)->current.size());
    }
    std::int64_t read(int fd, char* out, std::size_t count, std::uint64_t offset) override {
        const auto& bytes = descriptors_.at(fd)->current;
        if (offset >= bytes.size()) return 0;
        return static_cast<std::int64_t>(bytes.copy(out, count, offset));
    }
    std::int64_t write(int fd, std::string_view bytes, std::uint64_t offset) override {
        auto& current = descriptors_.at(fd)->current;
        if (const int error = fault(calls_++)) {
            // A full disk takes a part; the call after that fails.
            bytes = bytes.substr(0, bytes.size() / 2);
            if (bytes.empty() || failing_) {
                failing_ = false;
                return -error;
            }
            failing_ = true;
            --calls_;
        }
        if (current.size() < offset + bytes.size()) current.resize(offset + bytes.size());
        current.replace(offset, bytes.size(), bytes);
        if (writes_back_at_once) descriptors_.at(fd)->durable = current;
        return static_cast<std::int64_t>(bytes.size());
    }
    int truncate(int fd, std::uint64_t size) override {
        if (const int error = fault(calls_++)) return -error;
        descriptors_.at(fd)->current.resize(size);
        return 0;
    }
    int sync_data(int fd) override { return sync_all(fd); }
    int sync_all(int fd) override {
        if (const int error = fault(calls_++)) return -error;
        auto& file = *descriptors_.at(fd);
        file.durable = file.current;
        return 0;
    }
    int rename(const char* from, const char* to) override {
        if (const int error = fault(calls_++)) return -error;
        if (!names_.contains(from)) return -ENOENT;
        change([from = std::string{from}, to = std::string{to}](Names& names) {
            if (const auto node = names.extract(from)) names[to] = node.mapped();
        });
        return 0;
    }
    int remove(const char* name) override {
        if (!names_.contains(name)) return -ENOENT;
        if (const int error = fault(calls_++)) return -error;
        change([name = std::string{name}](Names& names) { names.erase(name); });
        return 0;
    }
    int sync_directory() override {
        if (const int error = fault(calls_++)) return -error;
        durable_names_ = names_;
        renames_.clear();
        return 0;
    }
    int lock(int fd) override {
        if (locked_ >= 0) return -EWOULDBLOCK;
        locked_ = fd;
        return 0;
    }
    std::uint64_t random() override { return ++random_; }

private:
    struct File {
        std::string current, durable;

        void lose_power(std::mt19937& random) {
            constexpr std::size_t sector = 512;
            const auto low = std::min(current.size(), durable.size());
            const auto high = std::max(current.size(), durable.size());
            const std::size_t lengths[] = {durable.size(), current.size(),
                                           low + random() % (high - low + 1)};
            std::string after(lengths[random() % 3], '\0');
            for (std::size_t at = 0; at < after.size(); at += sector) {
                const auto& from = random() % 2 == 0 ? current : durable;
                if (at < from.size())
                    from.copy(after.data() + at, std::min(sector, after.size() - at), at);
            }
            current = durable = after;
        }
    };
    using Names = std::map<std::string, std::shared_ptr<File>>;

    void change(std::function<void(Names&)> change_names) {
        change_names(names_);
        renames_.push_back(std::move(change_names));
    }

    Names names_, durable_names_;
    std::vector<std::function<void(Names&)>> renames_;
    std::map<int, std::shared_ptr<File>> descriptors_;
    int next_ = 3;
    int locked_ = -1;
    int calls_ = 0;
    bool failing_ = false;
    std::uint64_t random_ = 0;
};

}  // namespace umbra::file_storage
