// Commands for an instance that does not run.

#include "commands.hpp"
#include "config_document.hpp"
#include "passphrase.hpp"
#include <umbra/instance/offline.hpp>
#include <umbra/instance/run.hpp>

#include <pwd.h>
#include <sstream>
#include <unistd.h>
#include <utility>
#include <variant>

namespace umbra::cli {
namespace {

std::string user_name() {
    const passwd* const user = ::getpwuid(::getuid());
    return user != nullptr ? user->pw_name : "uid " + std::to_string(::getuid());
}

/// Prints what was done, or why not.
int report(const Result<std::string>& done) {
    if (done) {
        print_line(*done);
        return exit_done;
    }
    const Error& error = done.error();
    std::istringstream text{error.message};
    std::string sentence;
    std::getline(text, sentence);
    std::vector<std::string> details;
    for (std::string line; std::getline(text, line);) details.push_back(line);
    const ExitStatus status = error.code == Errc::conflict  ? exit_refused
                              : error.code == Errc::invalid ? exit_usage
                                                            : exit_failed;
    return fail(status, sentence, details);
}

}  // namespace

int role_set(const std::string& role, const std::string& data_dir) {
    return report(
        instance::order_role(data_dir, role == "master" ? core::Role::master : core::Role::shadow));
}

int storage_migrate(const std::string& file, const std::string& from, const std::string& to,
                    const std::vector<std::string>& set) {
    return report(instance::migrate_storage({file, from, to, set}));
}

int config_repair(const std::string& file, const std::vector<std::string>& pairs,
                  const std::string& author) {
    auto changes = changes_of(pairs);
    if (const int* const status = std::get_if<int>(&changes)) return *status;
    return report(
        instance::repair_configuration({file, author.empty() ? user_name() : author,
                                        std::get<std::vector<core::Change>>(std::move(changes))}));
}

int backup(const std::string& target, const std::string& file, const std::string& passphrase_file) {
    return report(instance::write_backup({.file = file, .target = target},
                                         [&] { return get_passphrase(passphrase_file, true); }));
}

int restore(const std::string& source, const std::string& file, const std::vector<std::string>& set,
            const std::string& passphrase_file) {
    instance::RestoreRequest request{.source = source, .file = {}, .set = set};
    if (!file.empty()) request.file = file;
    return report(
        instance::restore_backup(request, [&] { return get_passphrase(passphrase_file, false); }));
}

}  // namespace umbra::cli
