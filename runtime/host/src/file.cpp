#include "elf_file.hpp"
#include "text.hpp"
#include <umbra/host/file.hpp>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace umbra::host {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kind_words{"transport", "storage", "probe", "tunnel"};

/// Closes a descriptor at the end of a scope.
struct Descriptor {
    int value = -1;
    explicit Descriptor(int descriptor) : value(descriptor) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (value >= 0) ::close(value);
    }
    int release() { return std::exchange(value, -1); }
};

bool trusted_owner(uid_t owner) { return owner == 0 || owner == geteuid(); }

std::string owner_refusal(uid_t owner, const fs::path& path) {
    std::string who = "belongs to user " + user_text(owner);
    who += geteuid() == 0 ? ", not to root"
                          : ", neither to root nor to " + user_text(geteuid()) + ", who runs this";
    return who + "; run \"chown root " + path.string() + "\" if you trust it";
}

std::string write_refusal(mode_t mode, const fs::path& path, const char* why) {
    return std::string{(mode & S_IWOTH) != 0 ? "may be written by everybody"
                                             : "may be written by its group"} +
           " (mode " + mode_text(mode & 07777) + ")" + why + "; run \"chmod go-w " + path.string() +
           "\"";
}

/// The directory of the file and those above. A group that may write further up is the
/// administrator's choice (Debian's /usr/local belongs to group staff on some systems).
std::string directory_refusal(const fs::path& directory) {
    bool nearest = true;
    for (fs::path at = directory;; at = at.parent_path(), nearest = false) {
        struct stat status {};
        if (::stat(at.c_str(), &status) != 0)
            return "its directory " + at.string() + " cannot be examined (" + system_text(errno) +
                   "); correct the path or its permissions";
        if (!trusted_owner(status.st_uid))
            return "its directory " + at.string() + " " + owner_refusal(status.st_uid, at);
        const bool sticky = (status.st_mode & S_ISVTX) != 0;
        const mode_t forbidden = nearest ? S_IWGRP | S_IWOTH : sticky ? 0 : S_IWOTH;
        if ((status.st_mode & forbidden) != 0)
            return "its directory " + at.string() + " " +
                   write_refusal(status.st_mode, at, ", so others could put a plugin there");
        if (at == at.parent_path()) return {};
    }
}

Error refusal(Errc code, const fs::path& path, const std::string& why, int sys_errno = 0) {
    return {code, path.string() + ": " + why, sys_errno};
}

Error open_refusal(const fs::path& path, int error_number) {
    if (error_number == ELOOP)
        return refusal(Errc::denied, path,
                       "is a symbolic link, which could lead out of its directory; put the file "
                       "itself there");
    if (error_number == ENOENT || error_number == ENOTDIR)
        return refusal(Errc::unavailable, path,
                       "does not exist; install the plugin or correct the path", error_number);
    return refusal(Errc::unavailable, path,
                   "cannot be opened (" + system_text(error_number) +
                       "); make it readable for the user who runs this",
                   error_number);
}

std::string type_refusal(mode_t mode) {
    if (S_ISDIR(mode)) return "is a directory, not a plugin; name a file in it";
    return "is not a regular file; install the plugin as one";
}

}  // namespace

std::string kind_word(std::uint32_t kind) {
    if (kind >= 1 && kind <= kind_words.size()) return std::string{kind_words[kind - 1]};
    return "kind " + std::to_string(kind);
}

std::optional<umbra_kind> kind_of(std::string_view word) {
    for (std::size_t i = 0; i < kind_words.size(); ++i)
        if (kind_words[i] == word) return static_cast<umbra_kind>(i + 1);
    return std::nullopt;
}

std::string file_name_of(std::uint32_t kind, std::string_view name) {
    return "umbra-" + kind_word(kind) + "-" + std::string{name} + ".so";
}

PluginFile::PluginFile(PluginFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(other.release()), size_(other.size_) {}

PluginFile& PluginFile::operator=(PluginFile&& other) noexcept {
    if (this != &other) {
        if (descriptor_ >= 0) ::close(descriptor_);
        path_ = std::move(other.path_);
        descriptor_ = other.release();
        size_ = other.size_;
    }
    return *this;
}

PluginFile::~PluginFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

int PluginFile::release() noexcept { return std::exchange(descriptor_, -1); }

Result<PluginFile> PluginFile::open(const fs::path& named) {
    const fs::path path = named.has_filename() ? named : named.parent_path();
    // Without links in the directories there is one chain of parents to judge, and the file is then
    // opened below the very directory that was judged.
    std::error_code failed;
    const fs::path directory =
        fs::canonical(path.has_parent_path() ? path.parent_path() : ".", failed);
    if (failed) return open_refusal(path, failed.value());
    const Descriptor parent{::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (parent.value < 0) return open_refusal(path, errno);

    // O_NONBLOCK: opening a FIFO must not wait for its other end.
    Descriptor file{::openat(parent.value, path.filename().c_str(),
                             O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
    if (file.value < 0) return open_refusal(path, errno);
    struct stat status {};
    if (::fstat(file.value, &status) != 0) return open_refusal(path, errno);
    if (!S_ISREG(status.st_mode)) return refusal(Errc::invalid, path, type_refusal(status.st_mode));
    if (!trusted_owner(status.st_uid))
        return refusal(Errc::denied, path, owner_refusal(status.st_uid, path));
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return refusal(Errc::denied, path, write_refusal(status.st_mode, path, ""));
    if (const auto why = directory_refusal(directory); !why.empty())
        return refusal(Errc::denied, path, why);

    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (const auto why = elf_refusal(file.value, size); !why.empty())
        return refusal(Errc::invalid, path, why);
    return PluginFile{path, file.release(), size};
}

Result<Identity> PluginFile::read_identity() const {
    Identity identity;
    if (const auto why = read_note(descriptor_, size_, identity); !why.empty())
        return refusal(Errc::invalid, path_, why);
    return identity;
}

Result<Done> check_abi(const fs::path& path, const Identity& identity) {
    if (identity.abi_major != UMBRA_ABI_MAJOR || identity.abi_minor != UMBRA_ABI_MINOR) {
        const auto number = [](unsigned major, unsigned minor) {
            return std::to_string(major) + "." + std::to_string(minor);
        };
        return refusal(Errc::invalid, path,
                       "plugin ABI " + number(identity.abi_major, identity.abi_minor) + " (SDK " +
                           identity.sdk_version + "), this host speaks " +
                           number(UMBRA_ABI_MAJOR, UMBRA_ABI_MINOR) +
                           "; rebuild it with the SDK of this host, nothing in it was executed");
    }
    if (identity.kind < 1 || identity.kind > kind_words.size())
        return refusal(Errc::invalid, path,
                       "is a plugin of " + kind_word(identity.kind) +
                           ", which this host does not know; install a newer umbra");
    return Done{};
}

Result<Done> check_file_name(const fs::path& path, const Identity& identity) {
    const std::string expected = file_name_of(identity.kind, identity.name);
    if (path.filename() == expected) return Done{};
    return refusal(Errc::invalid, path,
                   "is the " + kind_word(identity.kind) + " plugin \"" + identity.name +
                       "\", which its name does not say; rename it to " + expected);
}

}  // namespace umbra::host
