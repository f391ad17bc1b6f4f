#pragma once

#include "settings.hpp"
#include <umbra/sdk/result.hpp>

#include <memory>

namespace umbra::gateway {

/// The gateway: everything that `umbra-gateway run` does.
class Server {
public:
    /// Reads the state, opens all doors.
    static Result<Server> start(Settings settings);

    Server(Server&&) noexcept;
    Server& operator=(Server&&) noexcept;
    ~Server();

    /// Serves until SIGTERM or SIGINT, or until it can not go on.
    Result<Done> run();

private:
    class Impl;
    explicit Server(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

}  // namespace umbra::gateway
