#pragma once

#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <optional>
#include <string_view>

namespace umbra::base {

/// Tells the service manager about this process (sd_notify(3)): "READY=1", "STOPPING=1",
/// "STATUS=master, epoch 4", "WATCHDOG=1"; several assignments are separated by newlines.
///
/// Does nothing and succeeds when $NOTIFY_SOCKET is not set. Understands paths and abstract names
/// ("@name"). Never blocks: a manager that does not read loses the message.
///
/// Threads: any, as long as nobody changes the environment.
Result<Done> notify(std::string_view state);

/// Half of $WATCHDOG_USEC, which is how often "WATCHDOG=1" is due, if the manager watches this
/// process.
[[nodiscard]] std::optional<Duration> watchdog_interval();

}  // namespace umbra::base
