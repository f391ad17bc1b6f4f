#pragma once

#include <umbra/core/settings.hpp>
#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace umbra::instance {

/// The other instance, once the keys were exchanged.
struct PinnedPeer {
    std::string name;
    std::string identity;
    std::string publish, respond;  ///< Where it said it listens; [transport] peer comes first.

    bool operator==(const PinnedPeer&) const = default;
};

/// What an instance remembers beside the shared configuration: `state.json` in its data directory.
/// Never replicated.
struct InstanceState {
    std::string name;         ///< As of the first start; a copied directory is noticed by it.
    std::string incarnation;  ///< Made with the directory: a fresh disk is another one.
    core::Persistent persistent;
    /// [peer] enabled of the file when `ha_enabled` was stored; a change in the file wins over a
    /// command given before it.
    bool ha_in_file = false;
    /// The log held something once: one that is found empty was lost.
    bool stored = false;
    std::optional<PinnedPeer> peer;
};

/// Nothing when there is none; an error names the file, what is wrong and the remedy.
[[nodiscard]] Result<std::optional<InstanceState>> load_state(
    const std::filesystem::path& data_dir);
/// Atomic and durable. `data_loss` when an fsync failed.
[[nodiscard]] Result<Done> save_state(const std::filesystem::path& data_dir,
                                      const InstanceState& state);

[[nodiscard]] std::string new_incarnation();
/// Of an instance whose disk is not the one on which it had its role: another incarnation, which
/// the register does not count as in sync, and a shadow that takes no role by itself until it has
/// met a master. The epoch stays, as the lowest that can be.
void make_newcomer(InstanceState& state);

/// Exclusive use of a data directory, for the life of the object.
class DataDirLock {
public:
    /// `conflict` when another process has it.
    [[nodiscard]] static Result<DataDirLock> take(const std::filesystem::path& data_dir);
    DataDirLock(DataDirLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    DataDirLock& operator=(DataDirLock&&) = delete;
    ~DataDirLock();

private:
    explicit DataDirLock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace umbra::instance
