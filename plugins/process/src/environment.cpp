#include <umbra/process/environment.hpp>

#include <algorithm>
#include <cstdlib>

namespace umbra::process {

std::vector<std::string> basic_environment() {
    std::vector<std::string> environment;
    for (const char* name : {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"})
        if (const char* value = std::getenv(name))
            environment.push_back(std::string{name} + "=" + value);
    if (value_of(environment, "PATH").empty())
        environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
    return environment;
}

std::string_view value_of(const std::vector<std::string>& environment, std::string_view name) {
    for (const std::string_view entry : environment)
        if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
            return entry.substr(name.size() + 1);
    return {};
}

Result<std::vector<std::string>> with(std::vector<std::string> environment,
                                      const std::vector<std::string>& more) {
    for (const auto& entry : more) {
        const auto equals = entry.find('=');
        if (equals == std::string::npos || equals == 0 || entry.find('\0') != std::string::npos)
            return Error{Errc::invalid, "environment: \"" + entry + "\" is not NAME=value"};
        const auto name = entry.substr(0, equals + 1);
        std::erase_if(environment, [&](const auto& other) { return other.starts_with(name); });
        environment.push_back(entry);
    }
    return environment;
}

}  // namespace umbra::process
