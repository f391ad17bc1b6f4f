#pragma once

#include <umbra/sdk/storage.hpp>

#include <string>

namespace umbra::file_storage {

/// The position that the tests give to entry `seq`.
inline LogPosition position_of(std::uint64_t seq, std::uint64_t epoch = 1) {
    LogPosition position{seq, epoch, {}};
    for (std::size_t i = 0; i < position.hash.size(); ++i)
        position.hash[i] = static_cast<std::byte>((seq * 31 + epoch * 7 + i) & 0xffu);
    return position;
}

inline LogEntry entry_of(std::uint64_t seq, std::string body, std::uint64_t epoch = 1) {
    return {position_of(seq, epoch), std::move(body)};
}

inline LogEntry entry_of(std::uint64_t seq) {
    return entry_of(seq, "edit " + std::to_string(seq) + " sets a key to a value");
}

}  // namespace umbra::file_storage
