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

int role_set(const std::string& role, const std::string& data_dir) {
    const auto ordered =
        instance::order_role(data_dir, role == "master" ? core::Role::master : core::Role::shadow);
    if (ordered) {
        print_line(*ordered);
        return exit_done;
    }
    const Error& error = ordered.error();
    const ExitStatus status = error.code == Errc::conflict  ? exit_refused
                              : error.code == Errc::invalid ? exit_usage
                                                            : exit_failed;
    return fail(status, error.message);
}

}  // namespace umbra::cli
