#pragma once

#include <umbra/base/http_server.hpp>
#include <umbra/instance/control.hpp>

#include <string>

namespace umbra::admin {

/// The HTTP API of an instance: requests in, calls of `Control`, JSON out. README.md lists the
/// routes. Holds no state of its own.
///
/// Lifetime: `control` outlives the API and every call of `handle()`; answers may come later.
/// Threads: `handle()` from any.
class Api {
public:
    explicit Api(instance::Control& control) noexcept : control_(&control) {}

    /// Answers exactly once, now or when the instance has done what was asked. Bad requests are
    /// answered here and never reach `Control`.
    void handle(const base::HttpRequest& request, const base::Responder& answer) const;

private:
    instance::Control* control_;
};

/// Serves the API at `address` ("unix:/run/umbra/admin.sock") until the server is stopped, which
/// must happen before `control` goes away.
Result<base::HttpServer> serve(instance::Control& control, std::string address);

}  // namespace umbra::admin
