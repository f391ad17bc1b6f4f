#pragma once

#include <umbra/instance/control.hpp>
#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace umbra::instance {

/// Starts to serve `control` at an address of [admin] listen and returns what keeps it served; it
/// is destroyed before the instance goes. A callback, because the admin room is built on this one.
using ServeAdmin =
    std::function<Result<std::shared_ptr<void>>(Control& control, const std::string& address)>;

/// `umbra run FILE`: runs an instance in the foreground until SIGTERM, SIGINT or a fatal failure.
/// Problems are written to stderr.
/// @return Exit status: 0 stopped as asked, 1 failed, 2 invalid file.
int run_instance(const std::filesystem::path& file, const ServeAdmin& serve_admin);

/// `umbra role set`: the role in which the instance of this data directory starts next. `shadow`
/// also keeps it from taking the role by itself until it has met a master.
/// @return What was changed, for people. `conflict` while the instance runs, `invalid` when no
///         instance ever used the directory.
[[nodiscard]] Result<std::string> order_role(const std::filesystem::path& data_dir,
                                             core::Role role);

}  // namespace umbra::instance
