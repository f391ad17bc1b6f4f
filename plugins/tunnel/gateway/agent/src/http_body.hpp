#pragma once

#include "http_head.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace umbra::gateway {

inline constexpr std::size_t chunk_extension_bytes_max = 1024;
inline constexpr std::size_t trailer_bytes_max = 8192;

/// Finds where a body ends, while its bytes pass as they are. As strict as the parser of heads:
/// chunk sizes are hexadecimal digits, lines end in CRLF, and a trailer can not bring in what
/// belongs into the head. Pure.
class BodyScanner {
public:
    explicit BodyScanner(BodyFraming framing);

    /// @return how many bytes at the front of `bytes` belong to the body: all of them, unless it
    ///         is over then or `failed()`.
    [[nodiscard]] std::size_t take(std::string_view bytes);
    /// Complete. One without a length is never: its end is the end of the connection.
    [[nodiscard]] bool done() const noexcept { return state_ == State::done; }
    [[nodiscard]] bool failed() const noexcept { return state_ == State::failed; }

private:
    enum class State {
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer,
        trailer_lf,
        plain,
        endless,
        done,
        failed
    };
    void step(char c);
    void digit(int value);
    void end_trailer_line();

    State state_;
    std::uint64_t left_ = 0;  ///< Of the body, or of this chunk.
    std::size_t digits_ = 0, extension_ = 0, trailers_ = 0;
    std::string line_;
};

}  // namespace umbra::gateway
