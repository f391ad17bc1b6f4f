#pragma once

#include <umbra/sdk/abi.h>
#include <umbra/sdk/options.hpp>
#include <umbra/sdk/reply.hpp>
#include <umbra/sdk/result.hpp>

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace umbra {

/// What the host gives an instance of a plugin. Cheap to copy; usable from any thread until the
/// instance's `stop()` was answered.
class Context {
public:
    explicit Context(const umbra_host* host) : host_(host) {}

    [[nodiscard]] std::string_view instance_name() const {
        return detail::to_view(host_->instance_name);
    }
    /// "main" of [tunnel.main].
    [[nodiscard]] std::string_view object_name() const {
        return detail::to_view(host_->object_name);
    }
    /// Private directory of this instance: exists, mode 0700, survives restarts, never replicated.
    [[nodiscard]] std::string_view state_dir() const { return detail::to_view(host_->state_dir); }

    [[nodiscard]] bool log_enabled(umbra_log_level level) const {
        return host_->log_enabled(host_->context, level) != 0;
    }
    void log(umbra_log_level level, std::string_view text) const {
        if (log_enabled(level)) host_->log(host_->context, level, detail::to_str(text));
    }
    void debug(std::string_view text) const { log(UMBRA_LOG_DEBUG, text); }
    void info(std::string_view text) const { log(UMBRA_LOG_INFO, text); }
    void warn(std::string_view text) const { log(UMBRA_LOG_WARN, text); }
    void error(std::string_view text) const { log(UMBRA_LOG_ERROR, text); }

private:
    const umbra_host* host_;
};

/// May be thrown inside a plugin to give a failure its code. Any other exception is "internal".
struct Failure : std::exception {
    explicit Failure(Error e) : error(std::move(e)) {}
    Failure(Errc code, std::string message) : error{code, std::move(message)} {}
    [[nodiscard]] const char* what() const noexcept override { return error.message.c_str(); }
    Error error;
};

/// Base of the four kinds. The host calls one function at a time and expects it to return within
/// 10 ms; the reply may come later, from any thread. Exceptions are welcome inside: they become
/// the failure of the operation.
class Plugin {
public:
    virtual ~Plugin() = default;

    /// Answer after every open operation was completed (`Errc::closed`) and every thread ended.
    virtual void stop(Reply<Done> reply) { reply.ok(); }
};

/// Who a plugin is. The texts are static; `name` and `version` also go into the file's note.
struct PluginInfo {
    const char* name;
    const char* version;
    const char* summary;
    const char* license = "Apache-2.0";
    const char* const* capabilities = nullptr;  ///< Null-terminated, static.
};

namespace detail {

inline Error error_of_current_exception() noexcept {
    try {
        throw;
    } catch (const Failure& failure) {
        return failure.error;
    } catch (const std::system_error& failure) {
        return {Errc::internal, failure.code().message(), failure.code().value()};
    } catch (const std::bad_alloc&) {
        return {Errc::exhausted, "out of memory"};
    } catch (const std::exception& failure) {
        return {Errc::internal, failure.what()};
    } catch (...) {
        return {Errc::internal, "an exception of unknown type"};
    }
}

/// Runs `f` for an operation: no exception leaves, and an unanswered one is answered here.
template <class F>
void guarded(umbra_op* op, F f) noexcept {
    CallScope scope{op, false};
    CallScope* outer = std::exchange(current_call(), &scope);
    try {
        f();
    } catch (...) {
        const Error error = error_of_current_exception();
        if (scope.unwound) complete(op, error);
    }
    current_call() = outer;
}

/// The C functions of a kind; each kind's header specialises it.
template <class Kind>
struct ThunksFor;

/// Thunks every kind shares. `P` is the author's class: constructible from (Context, Options), with
/// static members `info` (PluginInfo) and `schema` (OptionSchema). It may have
/// `change_options(Options, Reply<Done>)`: other values for what the schema calls live(), while the
/// instance runs; the rest is as before.
template <class P>
struct LifeThunks {
    static int32_t create(const umbra_host* host, const umbra_value* values, size_t count,
                          void** self, umbra_status* why) noexcept {
        // Outlives the call: the host reads the message after create() returned.
        static std::string message;
        Error error;
        try {
            *self = static_cast<typename P::Kind*>(
                new P(Context{host}, P::schema.decode(values, count)));
            return UMBRA_OK;
        } catch (...) {
            error = error_of_current_exception();
        }
        message = error.message;
        *why = make_status(static_cast<int>(error.code), message, error.sys_errno);
        return why->code;
    }
    static typename P::Kind* kind(void* self) { return static_cast<typename P::Kind*>(self); }
    static void stop(void* self, umbra_op* op) {
        guarded(op, [&] { kind(self)->stop(Reply<Done>{op}); });
    }
    static void destroy(void* self) { delete kind(self); }
    static void change_options(void* self, const umbra_value* values, size_t count, umbra_op* op) {
        guarded(op, [&] {
            static_cast<P*>(kind(self))
                ->change_options(P::schema.decode(values, count), Reply<Done>{op});
        });
    }
    /// Null for an author's class that does not have it.
    static constexpr auto changer() -> decltype(umbra_lifecycle::change_options) {
        using Options = typename std::remove_cvref_t<decltype(P::schema)>::options_type;
        if constexpr (requires(P & plugin, Options options, Reply<Done> reply) {
                          plugin.change_options(std::move(options), std::move(reply));
                      }) {
            return &change_options;
        } else {
            return nullptr;
        }
    }

    static constexpr umbra_lifecycle table{sizeof(umbra_lifecycle), &create, &stop, &destroy,
                                           changer()};
};

}  // namespace detail
}  // namespace umbra
