#pragma once

#include <umbra/gateway/wire.hpp>
#include <umbra/sdk/result.hpp>

#include <cstdint>
#include <optional>
#include <string>

/// What the two ends of a new stream say before the bytes of its user.
///
///     opener   -> u16 length | u8 version = 1 | u64 epoch | u16 port | host | client    (OPEN)
///     acceptor -> u16 length | u8 code | text                                           (STATUS)
///
/// The opener may send user bytes right behind OPEN; the acceptor sends STATUS first, and nothing
/// but the end of the stream after one that is not `ok`.
namespace umbra::gateway {

inline constexpr std::size_t open_bytes_max = 1024;   ///< After the length.
inline constexpr std::size_t host_bytes_max = 255;    ///< A DNS name.
inline constexpr std::size_t client_bytes_max = 255;  ///< "[2001:db8::1]:50000"

/// Asks the far side for a connection to a virtual host. Which mapping that is, is its business.
struct OpenRequest {
    std::uint64_t epoch = 0;
    std::string host{};  ///< Virtual, lower case.
    std::uint16_t port = 0;
    std::string client{};  ///< Address of the user, "host:port", for logs and PROXY headers.

    bool operator==(const OpenRequest&) const = default;
};

/// On the wire.
enum class StatusCode : std::uint8_t {
    ok = 0,
    denied = 1,       ///< No active mapping permits it.
    refused = 2,      ///< The backend refuses connections or can not be reached.
    timeout = 3,      ///< The backend did not answer in time.
    stale_epoch = 4,  ///< The stream's epoch is not the one that the far side serves.
    limit = 5,        ///< Too many streams.
    draining = 6,     ///< The far side takes no new streams.
};
[[nodiscard]] const char* name_of(StatusCode code) noexcept;

struct OpenStatus {
    StatusCode code = StatusCode::ok;
    std::string text{};  ///< One sentence for logs; at most `text_bytes_max`.

    bool operator==(const OpenStatus&) const = default;
};

[[nodiscard]] Bytes encode(const OpenRequest& request);
[[nodiscard]] Bytes encode(const OpenStatus& status);

/// What a preamble decoder found: the value and how many bytes of the input it took.
template <class T>
struct Decoded {
    T value;
    std::size_t taken = 0;
};

/// Decodes a preamble at the front of what has arrived of a stream.
/// @return nothing while incomplete; `Errc::invalid` when it can not become one.
[[nodiscard]] Result<std::optional<Decoded<OpenRequest>>> decode_open(ByteView bytes);
[[nodiscard]] Result<std::optional<Decoded<OpenStatus>>> decode_status(ByteView bytes);

}  // namespace umbra::gateway
