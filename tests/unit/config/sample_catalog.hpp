#pragma once

#include <umbra/config/catalog.hpp>
#include <umbra/config/problem.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

/// Option tables as plugins declare them: those that the examples name, and one with every type.
class SampleCatalog : public PluginCatalog {
public:
    SampleCatalog();

    [[nodiscard]] const umbra_plugin* find(umbra_kind kind, std::string_view name) const override;
    [[nodiscard]] std::vector<std::string> names(umbra_kind kind) const override;
    [[nodiscard]] std::string why_missing(umbra_kind kind, std::string_view name) const override;

private:
    std::vector<umbra_plugin> plugins_;
};

/// An option without limits; the rest is set by the test.
[[nodiscard]] umbra_option option(const char* key, std::uint32_t type, const char* def = nullptr,
                                  std::uint32_t flags = 0);
[[nodiscard]] umbra_plugin plugin(umbra_kind kind, const char* name, const umbra_option* options,
                                  std::size_t count);

/// `file:line:column: error: text` of every problem, without the help.
[[nodiscard]] std::vector<std::string> told(const Problems& problems);

}  // namespace umbra::config
