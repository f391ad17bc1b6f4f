#pragma once

#include <umbra/sdk/abi.h>
#include <umbra/sdk/result.hpp>

#include <exception>
#include <string_view>
#include <utility>

namespace umbra {

namespace detail {

inline umbra_str to_str(std::string_view text) { return {text.data(), text.size()}; }

inline umbra_status make_status(int code, std::string_view message, int sys_errno = 0) {
    return {sizeof(umbra_status), code, sys_errno, to_str(message)};
}

inline void complete(umbra_op* op, const Error& error) {
    const auto status = make_status(static_cast<int>(error.code), error.message, error.sys_errno);
    op->done(op, &status, nullptr);
}

/// The call in progress on this thread. Tells a reply that dies by an exception from one that was
/// forgotten: the former is answered by the call's own `catch`, with the exception's text.
struct CallScope {
    umbra_op* op = nullptr;
    bool unwound = false;
};
inline CallScope*& current_call() {
    static thread_local CallScope* call = nullptr;
    return call;
}

/// How a C++ result becomes its struct of the binary interface: `Encode<T>::with(value, f)` calls
/// `f(const void*)` while that struct lives. Each plugin kind specialises it for its results.
template <class T>
struct Encode;

template <>
struct Encode<Done> {
    template <class F>
    static void with(const Done&, F f) {
        f(nullptr);
    }
};

}  // namespace detail

/// The answer a plugin owes for one operation. Exactly one of `ok()` and `fail()` is called, once,
/// from any thread; a reply that is dropped answers "internal: dropped", so nobody ever hangs.
/// Movable, not copyable. Empty after it answered or was moved from.
template <class T>
class Reply {
public:
    Reply() = default;
    explicit Reply(umbra_op* op) : op_(op) {}
    Reply(Reply&& other) noexcept : op_(std::exchange(other.op_, nullptr)) {}
    Reply& operator=(Reply&& other) noexcept {
        if (this != &other) {
            drop();
            op_ = std::exchange(other.op_, nullptr);
        }
        return *this;
    }
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply() { drop(); }

    void ok(const T& value) {
        if (umbra_op* op = std::exchange(op_, nullptr)) {
            detail::Encode<T>::with(value, [op](const void* result) {
                const auto status = detail::make_status(UMBRA_OK, {});
                op->done(op, &status, result);
            });
        }
    }
    /// For `Reply<Done>`.
    void ok() { ok(T{}); }

    void fail(const Error& error) {
        if (umbra_op* op = std::exchange(op_, nullptr)) detail::complete(op, error);
    }
    void fail(Errc code, std::string message) { fail(Error{code, std::move(message)}); }

    void answer(const Result<T>& result) {
        if (result.ok()) {
            ok(result.value());
        } else {
            fail(result.error());
        }
    }

    /// True once the host no longer wants the answer. It is still owed.
    [[nodiscard]] bool canceled() const { return op_ != nullptr && op_->canceled(op_) != 0; }
    /// CLOCK_MONOTONIC in nanoseconds; 0 = none.
    [[nodiscard]] std::int64_t deadline_ns() const { return op_ ? op_->deadline_ns : 0; }
    /// False after it answered or was moved from.
    explicit operator bool() const { return op_ != nullptr; }

private:
    void drop() noexcept {
        umbra_op* op = std::exchange(op_, nullptr);
        if (op == nullptr) return;
        auto* call = detail::current_call();
        if (call != nullptr && call->op == op && std::uncaught_exceptions() > 0) {
            call->unwound = true;
            return;
        }
        const auto status =
            detail::make_status(UMBRA_INTERNAL, "the plugin dropped the request without an answer");
        op->done(op, &status, nullptr);
    }

    umbra_op* op_ = nullptr;
};

}  // namespace umbra
