#pragma once

#include "refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace umbra::gateway {

/// How a client is spoken to, in the protocol that it came by.
struct Dialect {
    std::string_view accepted;        ///< Its stream begins behind this.
    std::string (*refused)(Refusal);  ///< The last that it hears.
    std::string_view
        before_request{};             ///< Comes before a refusal of one that has said nothing yet.
    std::string (*late)() = nullptr;  ///< Its request did not come in time; null: nothing.
};

/// What a client says before its stream begins, read as it comes and not one byte more. Pure: the
/// owner reads, feeds, and sends the answers. How the bytes are cut into pieces makes no
/// difference.
class Preamble {
public:
    enum class State { reading, done, bad };

    Preamble() = default;
    Preamble(const Preamble&) = delete;
    Preamble& operator=(const Preamble&) = delete;
    virtual ~Preamble() = default;

    /// Takes what belongs to it off the front of `arrived`.
    /// @pre `state()` is `reading`
    /// @return How many bytes that is; less than all of them only when it is not reading any more.
    virtual std::size_t feed(std::string_view arrived) = 0;

    [[nodiscard]] State state() const noexcept { return state_; }
    /// What is to be sent now; also of a bad one, then it is the last.
    [[nodiscard]] std::string take_answer() { return std::exchange(answer_, {}); }

protected:
    void finish() { state_ = State::done; }
    void fail(std::string last_words = {}) {
        state_ = State::bad;
        answer_ += last_words;
    }
    void say(std::string_view words) { answer_ += words; }

private:
    State state_ = State::reading;
    std::string answer_;
};

/// As a number.
[[nodiscard]] inline unsigned byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}

/// One that names a virtual host.
class RequestPreamble : public Preamble {
public:
    /// @pre `state()` is `done`
    [[nodiscard]] const std::string& host() const noexcept { return host_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

protected:
    void want(std::string host, std::uint16_t port) {
        host_ = std::move(host);
        port_ = port;
        finish();
    }

private:
    std::string host_;
    std::uint16_t port_ = 0;
};

}  // namespace umbra::gateway
