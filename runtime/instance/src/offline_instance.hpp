#pragma once

#include "state_file.hpp"
#include <umbra/config/instance_file.hpp>
#include <umbra/config/node.hpp>
#include <umbra/config/source.hpp>
#include <umbra/host/registry.hpp>
#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbra::instance {

/// An instance by its file, for work that does not run it.
struct OfflineInstance {
    config::Source source;
    config::Node root;  ///< The file, with the places of its lines.
    config::InstanceConfig config;
    std::unique_ptr<host::Registry> registry;

    /// The options of [storage] as they stand in the file; null when there are none.
    [[nodiscard]] const config::Node* storage_options() const;
    [[nodiscard]] std::filesystem::path storage_dir() const { return config.data_dir / "storage"; }
};

/// Reads and checks an instance file; an error has all of its mistakes.
[[nodiscard]] Result<OfflineInstance> read_instance(const std::filesystem::path& file);
/// The same for text that does not stand there yet.
[[nodiscard]] Result<OfflineInstance> read_instance(const config::Source& source);

/// The options of a storage plugin: those of `given`, if any, and on top of them KEY=VALUE words.
[[nodiscard]] Result<config::OptionValues> storage_options(const OfflineInstance& instance,
                                                           const std::string& plugin,
                                                           const config::Node* given,
                                                           const std::vector<std::string>& set);

/// Root works as the owner of a directory, until the end of the object: a storage makes files when
/// it is opened, and the service could not open those of root.
class ActAsOwner {
public:
    /// `denied` for anybody else than the owner and root.
    [[nodiscard]] static Result<ActAsOwner> of(const std::filesystem::path& directory);
    ActAsOwner(ActAsOwner&& other) noexcept : acting_(std::exchange(other.acting_, false)) {}
    ActAsOwner& operator=(ActAsOwner&&) = delete;
    ~ActAsOwner();

private:
    explicit ActAsOwner(bool acting) : acting_(acting) {}
    bool acting_;
};

/// The data directory of an instance that does not run, held.
struct HeldDirectory {
    ActAsOwner owner;
    DataDirLock lock;
    InstanceState state;
};

/// Errors: `invalid` nobody used the directory; `conflict` it is used now, or belongs to another
/// instance; `denied` it belongs to another user.
[[nodiscard]] Result<HeldDirectory> hold_directory(const config::InstanceConfig& config);

}  // namespace umbra::instance
