#pragma once

#include <umbra/sdk/abi.h>
#include <umbra/sdk/time.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace umbra::host {

/// Queues a function for the host's one thread. Never runs it at once; may be called from any
/// thread; must not call back into a handle.
using Executor = std::function<void(std::function<void()>)>;

/// The timers of the host's one thread. Everything here is called on that thread only.
class Timers {
public:
    using Id = std::uint64_t;

    virtual ~Timers() = default;
    [[nodiscard]] virtual Instant now() const = 0;
    /// Runs `fn` on the host's thread at `at` or soon after, never inside this call.
    virtual Id schedule(Instant at, std::function<void()> fn) = 0;
    /// Afterwards `fn` does not run any more. Unknown and past ids are fine.
    virtual void cancel(Id id) = 0;
};

/// Where the lines of plugins, and remarks about them, go. Called from any thread, also from
/// several at once; must not call back into a handle.
struct LogSink {
    std::function<bool(umbra_log_level)> enabled;
    /// @param room  "tunnel/main"
    std::function<void(umbra_log_level, std::string_view room, std::string_view text)> write;
};

/// What a handle needs from its host. All of it must outlive the handle; after the destructor of
/// the handle nothing of it is touched again, whatever the plugin's threads do.
struct Surroundings {
    Executor post;
    Timers* timers = nullptr;
    LogSink log;
};

/// When a caller stops waiting. There is no default on purpose; `none()` is for next_event().
class Deadline {
public:
    [[nodiscard]] static Deadline none() noexcept { return Deadline{}; }
    [[nodiscard]] static Deadline at(Instant when) noexcept {
        Deadline deadline;
        deadline.at_ = when;
        return deadline;
    }
    [[nodiscard]] static Deadline after(Duration span) noexcept {
        Deadline deadline;
        deadline.after_ = span;
        return deadline;
    }
    /// The point in time, given when the call begins.
    [[nodiscard]] std::optional<Instant> resolve(Instant now) const noexcept {
        if (after_) return now + *after_;
        return at_;
    }

private:
    Deadline() = default;
    std::optional<Instant> at_;
    std::optional<Duration> after_;
};

/// What an instance of a plugin is made with.
struct InstanceSpec {
    std::string instance_name;        ///< [instance] name
    std::string object_name;          ///< "main" of [tunnel.main]
    std::filesystem::path state_dir;  ///< Made with mode 0700 if it is not there.
    /// Aligned with the plugin's option table; config::OptionValues has them. Borrowed for the
    /// call.
    const umbra_value* values = nullptr;
    std::size_t value_count = 0;
};

/// What happened at the border to one instance since it was made.
struct CallStats {
    std::uint64_t calls = 0;     ///< Begun.
    std::uint64_t timeouts = 0;  ///< Answered by the deadline instead of the plugin.
    std::uint64_t late = 0;      ///< Completions that came after that.
    std::uint64_t twice = 0;     ///< Completions of operations that were complete already.
    std::uint64_t slow = 0;      ///< Calls that held the host's thread for more than 10 ms.
    std::size_t open = 0;        ///< Owed by the plugin now.
    std::size_t overdue = 0;     ///< Of these: the caller has already been told `timeout`.
};

}  // namespace umbra::host
