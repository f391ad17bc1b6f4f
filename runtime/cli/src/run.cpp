#include "commands.hpp"
#include <umbra/admin/api.hpp>
#include <umbra/instance/run.hpp>

#include <memory>

namespace umbra::cli {
namespace {

Result<std::shared_ptr<void>> serve_admin(instance::Control& control, const std::string& address) {
    auto server = admin::serve(control, address);
    if (!server) return server.error();
    return std::shared_ptr<void>{std::make_shared<base::HttpServer>(std::move(server).value())};
}

}  // namespace

int run(const std::string& file) { return instance::run_instance(file, serve_admin); }

}  // namespace umbra::cli
