#pragma once

#include <umbra/sdk/abi.h>
#include <umbra/sdk/result.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace umbra::host {

/// "transport", "storage", "probe", "tunnel"; "kind 7" for one that this host does not know.
[[nodiscard]] std::string kind_word(std::uint32_t kind);
[[nodiscard]] std::optional<umbra_kind> kind_of(std::string_view word);

/// Who a plugin is, as the note of its file says.
struct Identity {
    std::uint32_t kind = 0;  ///< umbra_kind, if this host knows it
    std::string name;
    std::string version;
    std::string sdk_version;
    std::uint16_t abi_major = 0, abi_minor = 0;

    bool operator==(const Identity&) const = default;
};

/// A plugin file that passed gate 0: opened once, and everything later goes through that
/// descriptor, so that nobody can exchange the file between check and use.
///
/// Gate 0 asks: a regular file, not a symbolic link; owner root or the user of this process; not
/// writable by group or others. The same for its directory, also when that is sticky, because
/// there anybody could add a plugin. The directories above must belong to root or this user and not
/// be writable by everybody (sticky ones such as /tmp are fine there). Then: ELF, 64 bit, this
/// machine, a shared object, complete (dlopen of a cut off file kills the process).
///
/// Nothing in the file is executed. Every refusal is one sentence: file, cause, remedy.
///
/// Threads: a value; one owner.
class PluginFile {
public:
    [[nodiscard]] static Result<PluginFile> open(const std::filesystem::path& path);

    PluginFile(PluginFile&& other) noexcept;
    PluginFile& operator=(PluginFile&& other) noexcept;
    ~PluginFile();

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    /// The caller closes it.
    [[nodiscard]] int release() noexcept;

    /// Gate 1: reads the note by own code, without loading. Does not judge the ABI.
    [[nodiscard]] Result<Identity> read_identity() const;

private:
    PluginFile(std::filesystem::path path, int descriptor, std::uint64_t size) noexcept
        : path_(std::move(path)), descriptor_(descriptor), size_(size) {}

    std::filesystem::path path_;
    int descriptor_ = -1;
    std::uint64_t size_ = 0;
};

/// The judgement of gate 1: a known kind and the ABI of this host.
[[nodiscard]] Result<Done> check_abi(const std::filesystem::path& path, const Identity& identity);

/// Refuses a file whose name does not say what its note says: `umbra-<kind>-<name>.so`.
[[nodiscard]] Result<Done> check_file_name(const std::filesystem::path& path,
                                           const Identity& identity);

/// "umbra-tunnel-gateway.so"
[[nodiscard]] std::string file_name_of(std::uint32_t kind, std::string_view name);

}  // namespace umbra::host
