#pragma once

#include <umbra/config/options.hpp>
#include <umbra/config/schema.hpp>

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace umbra::config {

/// A plugin's option table, checked and in the form that validation takes.
struct OptionSchema {
    std::vector<Key> keys;            ///< In the order of the plugin.
    std::vector<std::string> faults;  ///< Not empty: the table itself is broken.
    Table table;
};

[[nodiscard]] OptionSchema option_schema(const umbra_plugin& plugin);

/// Schemas of the plugins of one catalogue. Threads: any.
class OptionSchemas {
public:
    /// Valid as long as this object.
    [[nodiscard]] const OptionSchema& of(const umbra_plugin& plugin);

private:
    std::mutex mutex_;
    std::map<const umbra_plugin*, OptionSchema> known_;  ///< Protected by mutex_.
};

/// read_options() with a schema that is already there.
[[nodiscard]] OptionValues read_options(const umbra_plugin& plugin, const OptionSchema& schema,
                                        const OptionsPlace& place, const Origin& origin,
                                        Problems& problems);

/// validate() of a table that stands at `path` of a file.
[[nodiscard]] Section validate_at(const Node& table, const Table& schema, const std::string& path,
                                  const Origin& origin, Problems& problems);

}  // namespace umbra::config
