#include "keys.hpp"

#include <umbra/sdk/plugin.hpp>

#include <zmq.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace umbra::zeromq {

namespace {

constexpr std::string_view magic = "umbra-curve-key 1\n";
constexpr std::string_view public_label = "public ";
constexpr std::string_view secret_label = "secret ";
constexpr std::size_t file_size =
    magic.size() + public_label.size() + secret_label.size() + 2 * (z85_key_size + 1);

class File {
public:
    explicit File(int fd) : fd_(fd) {}
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] int fd() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_;
};

Error system_failure(const std::string& what) {
    const int code = errno;
    return {Errc::unavailable, what + ": " + std::generic_category().message(code), code};
}

Error damaged(const std::string& path, const std::string& why) {
    return {Errc::invalid, path + " " + why +
                               "; restore it from a backup, or remove it and pair this instance "
                               "with its peer again"};
}

Result<KeyPair> parse(const std::string& path, std::string_view text) {
    const auto take = [&text](std::string_view part) {
        const bool there = text.starts_with(part);
        if (there) text.remove_prefix(part.size());
        return there;
    };
    if (text.size() != file_size || !take(magic) || !take(public_label))
        return damaged(path, "is not a key file");
    KeyPair pair;
    pair.public_key = text.substr(0, z85_key_size);
    text.remove_prefix(z85_key_size);
    if (!take("\n") || !take(secret_label)) return damaged(path, "is not a key file");
    pair.secret_key = text.substr(0, z85_key_size);
    const auto derived = key_pair_of(pair.secret_key);
    if (!derived.ok() || derived->public_key != pair.public_key)
        return damaged(path, "holds two halves that do not belong together");
    return pair;
}

Result<KeyPair> load(const std::string& path, const File& file) {
    struct stat info {};
    if (::fstat(file.fd(), &info) != 0) return system_failure("cannot examine " + path);
    if (!S_ISREG(info.st_mode)) return damaged(path, "is not a regular file");
    if (info.st_uid != ::geteuid() || (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return Error{Errc::invalid, path +
                                        " can be read or written by others; its mode must be 0600 "
                                        "and its owner this user"};
    std::array<char, file_size + 1> buffer{};
    const ssize_t size = ::read(file.fd(), buffer.data(), buffer.size());
    if (size < 0) return system_failure("cannot read " + path);
    return parse(path, {buffer.data(), static_cast<std::size_t>(size)});
}

Result<Done> write_durably(const std::string& dir, const std::string& path,
                           const std::string& text) {
    const std::string temporary = path + ".new";
    ::unlink(temporary.c_str());
    {
        const File file{
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (!file) return system_failure("cannot create " + temporary);
        if (::write(file.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            return system_failure("cannot write " + temporary);
        if (::fsync(file.fd()) != 0) return system_failure("cannot make " + temporary + " durable");
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0)
        return system_failure("cannot rename " + temporary);
    const File folder{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder || ::fsync(folder.fd()) != 0)
        return system_failure("cannot make " + path + " durable");
    return Done{};
}

}  // namespace

bool is_key(std::string_view text) {
    if (text.size() != z85_key_size || text.find('\0') != text.npos) return false;
    std::array<std::uint8_t, 32> raw{};
    return ::zmq_z85_decode(raw.data(), std::string{text}.c_str()) != nullptr;
}

KeyPair make_key_pair() {
    std::array<char, z85_key_size + 1> public_key{}, secret_key{};
    if (::zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
        throw Failure{Errc::unsupported,
                      "this libzmq was built without CURVE; install one with it"};
    return {public_key.data(), secret_key.data()};
}

Result<KeyPair> key_pair_of(const std::string& secret_key) {
    std::array<char, z85_key_size + 1> public_key{};
    if (!is_key(secret_key) || ::zmq_curve_public(public_key.data(), secret_key.c_str()) != 0)
        return Error{Errc::invalid, "the secret is not a CURVE key: 40 characters of Z85"};
    return KeyPair{public_key.data(), secret_key};
}

Result<KeyPair> load_or_make_key_pair(const std::string& state_dir) {
    const std::string path = state_dir + "/curve.key";
    const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (file) return load(path, file);
    if (errno != ENOENT) return system_failure("cannot open " + path);

    const KeyPair pair = make_key_pair();
    std::string text{magic};
    text.append(public_label).append(pair.public_key).append("\n");
    text.append(secret_label).append(pair.secret_key).append("\n");
    const auto written = write_durably(state_dir, path, text);
    if (!written.ok()) return written.error();
    return pair;
}

}  // namespace umbra::zeromq
