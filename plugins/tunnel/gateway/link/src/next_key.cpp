#include "key_file.hpp"
#include <umbra/gateway/next_key.hpp>
#include <umbra/gateway/private_file.hpp>

#include <cerrno>
#include <cstdio>
#include <unistd.h>

namespace umbra::gateway {

namespace fs = std::filesystem;

namespace {

constexpr const char* next_key_name = "tls.next.key";

/// One that was never there is gone as well.
Result<Done> remove_durably(const fs::path& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return file_error(path, "remove");
    return sync_directory(path.parent_path());
}

}  // namespace

Result<std::string> next_key_pin(const fs::path& dir) {
    const fs::path path = dir / next_key_name;
    std::error_code ec;
    if (!fs::exists(path, ec)) return std::string{};
    auto key = read_key(path);
    if (!key) return key.error();
    return pin_of(key->get());
}

Result<std::string> make_next_key(const fs::path& dir) {
    const fs::path path = dir / next_key_name;
    std::error_code ec;
    if (fs::exists(path, ec))
        return Error{Errc::conflict, "there is a next key already, " + path.string()};
    auto key = make_key(path);
    if (!key) return key.error();
    return pin_of(key->get());
}

Result<Done> use_next_key(const fs::path& dir) {
    const fs::path next = dir / next_key_name, present = dir / key_name;
    auto pin = next_key_pin(dir);
    if (!pin) return pin.error();
    if (pin->empty()) return Error{Errc::conflict, "there is no next key"};
    // A key without its certificate is whole, a key beside another one's is not: so the certificate
    // goes first, and for certain.
    if (auto gone = remove_durably(dir / cert_name); !gone) return gone;
    if (::rename(next.c_str(), present.c_str()) != 0) return file_error(present, "replace");
    return sync_directory(dir);
}

Result<Done> drop_next_key(const fs::path& dir) { return remove_durably(dir / next_key_name); }

}  // namespace umbra::gateway
