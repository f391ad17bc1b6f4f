#pragma once

#include "decode.hpp"
#include <umbra/host/handles.hpp>
#include <umbra/host/surroundings.hpp>
#include <umbra/sdk/abi.h>
#include <umbra/sdk/result.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace umbra::host {

class InstanceCore;

/// One operation that the plugin owes a completion for. The plugin holds a pointer to its umbra_op
/// part, so it lives until done() came, and for a while longer as a tombstone: a second done() must
/// find memory that says so.
///
/// Threads: take() runs on the plugin's thread, once; the atomics belong to both sides; the rest
/// belongs to the host's thread.
class Operation : public umbra_op {
public:
    Operation(InstanceCore& owner, const char* operation_name);
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    virtual ~Operation() = default;

    /// Copies the answer out of the plugin's memory.
    virtual void take(const umbra_status* status, const void* result) = 0;
    /// The callback with what was taken, or with `error`; empties this operation.
    virtual std::function<void()> answer() = 0;
    virtual std::function<void()> fail(Error error) = 0;
    virtual void drop() = 0;

    InstanceCore& core;
    const char* const name;

    std::atomic<bool> complete = false;  ///< done() was called.
    std::atomic<bool> taken = false;     ///< take() is over.
    std::atomic<bool> unwanted = false;  ///< What canceled() tells.

    bool answered = false;  ///< The caller has its answer, or none is wanted.
    std::int64_t begun_ns = 0;
    std::optional<Timers::Id> timer;
    std::list<std::unique_ptr<Operation>>::iterator place;
};

/// The outcome that a status and a result amount to; also for a plugin that breaks the rules.
[[nodiscard]] std::optional<Error> error_of(const umbra_status* status, const void* result,
                                            std::size_t result_size);
/// "tunnel main (gateway 0.1.0): claim failed: why"
[[nodiscard]] Error with_context(const InstanceCore& core, const char* operation, Error error);

template <class T>
class TypedOperation final : public Operation {
public:
    TypedOperation(InstanceCore& owner, const char* operation_name, Callback<T> callback)
        : Operation(owner, operation_name), callback_(std::move(callback)) {}

    void take(const umbra_status* status, const void* result) override {
        if (auto error = error_of(status, result, Decode<T>::size)) {
            result_ = with_context(core, name, std::move(*error));
            return;
        }
        auto decoded = Decode<T>::from(result);
        if (decoded) {
            result_ = std::move(decoded);
        } else {
            result_ = with_context(core, name, decoded.error());
        }
    }
    std::function<void()> answer() override {
        return [callback = std::exchange(callback_, nullptr),
                result = std::move(*result_)]() mutable { callback(std::move(result)); };
    }
    std::function<void()> fail(Error error) override {
        return [callback = std::exchange(callback_, nullptr), error = std::move(error)]() mutable {
            callback(Result<T>{std::move(error)});
        };
    }
    void drop() override { callback_ = nullptr; }

private:
    Callback<T> callback_;
    std::optional<Result<T>> result_;
};

}  // namespace umbra::host
