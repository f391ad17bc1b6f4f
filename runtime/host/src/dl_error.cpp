#include "dl_error.hpp"

#include "text.hpp"

#include <cstdlib>
#include <cxxabi.h>
#include <memory>
#include <optional>

namespace umbra::host {

namespace {

constexpr std::size_t symbol_max = 512;

/// The part of `text` between two marks; nothing if either is missing.
std::optional<std::string_view> between(std::string_view text, std::string_view from,
                                        std::string_view to) {
    const auto begin = text.find(from);
    if (begin == std::string_view::npos) return std::nullopt;
    text.remove_prefix(begin + from.size());
    const auto end = to.empty() ? text.size() : text.find(to);
    if (end == std::string_view::npos) return std::nullopt;
    return text.substr(0, end);
}

/// The dlerror text inside a text of Boost.DLL.
std::string_view unwrap(std::string_view what) {
    constexpr std::string_view before = "dlerror system message: ", after = "): ";
    const auto begin = what.find(before);
    if (begin == std::string_view::npos) return what;
    what.remove_prefix(begin + before.size());
    const auto end = what.rfind(after);
    return end == std::string_view::npos ? what : what.substr(0, end);
}

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
}

}  // namespace

std::string demangle(const std::string& symbol) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), std::free);
    return status == 0 && name ? name.get() : symbol;
}

std::string explain_dl_error(std::string_view what, std::string_view loaded_as) {
    const std::string_view text = unwrap(what);
    const auto colon = text.find(": ");
    const std::string_view subject = text.substr(0, colon);

    if (text.find(": cannot open shared object file") != std::string_view::npos) {
        if (subject == loaded_as)
            return "cannot be loaded through " + std::string{loaded_as} + "; mount /proc";
        return "needs the library " + one_line(subject, symbol_max) +
               ", which is not installed; install the package that has it";
    }
    if (const auto symbol = between(text, "undefined symbol: ", "")) {
        const std::string name{symbol->substr(0, symbol->find(','))};
        return "uses the undefined symbol " + one_line(demangle(name), symbol_max) +
               "; link the library that has it, umbra_add_plugin() finds that when it links";
    }
    if (const auto version = between(text, ": version `", "' not found"))
        return "needs " + std::string{*version} + ", which the " + std::string{base_name(subject)} +
               " of this host does not have; build the plugin on this system or an older one";

    std::string rest{text};
    for (auto at = rest.find(loaded_as); at != std::string::npos; at = rest.find(loaded_as, at + 4))
        rest.replace(at, loaded_as.size(), "file");
    return "cannot be loaded (" + one_line(rest, symbol_max) +
           "); rebuild the plugin on this system";
}

}  // namespace umbra::host
