#pragma once

#include <umbra/sdk/abi.h>

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace umbra {

/// Why an operation failed. The values are those of the binary interface.
enum class Errc : int {
    unavailable = UMBRA_UNAVAILABLE,  ///< Trying again later may help.
    timeout = UMBRA_TIMEOUT,          ///< No answer in time; the effect is unknown.
    refused = UMBRA_REFUSED,          ///< The other side said no.
    denied = UMBRA_DENIED,            ///< Authentication or permission.
    invalid = UMBRA_INVALID,          ///< The arguments cannot work anywhere.
    unsupported = UMBRA_UNSUPPORTED,
    canceled = UMBRA_CANCELED,
    closed = UMBRA_CLOSED,        ///< Normal at shutdown.
    exhausted = UMBRA_EXHAUSTED,  ///< A limit was reached: disk, memory, descriptors.
    data_loss = UMBRA_DATA_LOSS,  ///< State is damaged or an fsync failed: the process must stop.
    conflict = UMBRA_CONFLICT,    ///< The state is not what the caller assumed.
    internal = UMBRA_INTERNAL,    ///< A bug, for example an exception in a plugin.
};

/// An expected failure: what a caller can react to, and one sentence for people.
struct Error {
    Errc code = Errc::internal;
    std::string message;
    int sys_errno = 0;

    bool operator==(const Error&) const = default;
};

/// Result of an operation that returns nothing.
struct Done {
    bool operator==(const Done&) const = default;
};

/// A value or an `Error`. Stands in for std::expected, which gcc 12 does not have.
template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    /// @pre `ok()`
    [[nodiscard]] T& value() & {
        assert(ok());
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] const T& value() const& {
        assert(ok());
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] T&& value() && {
        assert(ok());
        return std::move(*std::get_if<0>(&state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    /// @pre `!ok()`
    [[nodiscard]] const Error& error() const {
        assert(!ok());
        return *std::get_if<1>(&state_);
    }

private:
    std::variant<T, Error> state_;
};

}  // namespace umbra
