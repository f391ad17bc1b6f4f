#pragma once

#include <umbra/sdk/abi.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

class OptionSchemas;

/// The plugins that a configuration may name. runtime/host implements it.
class PluginCatalog {
public:
    PluginCatalog() = default;
    virtual ~PluginCatalog() = default;
    PluginCatalog(const PluginCatalog&) = delete;
    PluginCatalog& operator=(const PluginCatalog&) = delete;

    /// Null when there is no such plugin. What is returned lives as long as the catalogue.
    [[nodiscard]] virtual const umbra_plugin* find(umbra_kind kind,
                                                   std::string_view name) const = 0;
    [[nodiscard]] virtual std::vector<std::string> names(umbra_kind kind) const = 0;
    /// After find() returned null: one sentence that says where was searched and what was wrong
    /// with a file that would have been it. Empty = nothing to add.
    [[nodiscard]] virtual std::string why_missing(umbra_kind kind, std::string_view name) const {
        (void)kind, (void)name;
        return {};
    }

    /// Of the plugins that find() gave. A table is checked once, not with every edit. Threads: any.
    [[nodiscard]] OptionSchemas& schemas() const;

private:
    mutable std::once_flag made_;
    mutable std::shared_ptr<OptionSchemas> schemas_;  ///< Made when it is first asked for.
};

/// Gives the catalogue of the directories that an instance file names. It must outlive the call it
/// is handed to.
using OpenCatalog =
    std::function<const PluginCatalog&(const std::vector<std::filesystem::path>& directories)>;

/// "transport", "storage", "probe", "tunnel"
[[nodiscard]] const char* kind_name(umbra_kind kind);

}  // namespace umbra::config
