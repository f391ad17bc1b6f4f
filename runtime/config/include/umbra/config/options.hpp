#pragma once

#include <umbra/config/node.hpp>
#include <umbra/config/problem.hpp>
#include <umbra/config/schema.hpp>
#include <umbra/sdk/abi.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::config {

/// One option with its value, for people. Of a secret one too: mask it.
struct ShownOption {
    std::string key;
    std::optional<std::string> literal;  ///< Nothing: neither given nor a default.
    bool secret = false, live = false;
};

/// Values of a plugin's options, in the order of its table, defaults applied; what
/// `umbra_lifecycle::create` takes. Owns all text that `data()` points to. Cheap to copy;
/// immutable.
class OptionValues {
public:
    OptionValues() = default;

    [[nodiscard]] const umbra_value* data() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept;
    /// Canonical `key = literal` of what the user gave, sorted; two are equal when a plugin could
    /// not tell them apart. Secret ones are in it: not for logs.
    [[nodiscard]] const std::string& fingerprint() const noexcept;
    /// All options, in the order of the table.
    [[nodiscard]] const std::vector<ShownOption>& shown() const noexcept;
    /// These, with the values that `other` has for options that are live in both.
    [[nodiscard]] OptionValues with_live(const OptionValues& other) const;

    /// Nothing but live options has another value in `other`.
    [[nodiscard]] bool only_live_differs(const OptionValues& other) const {
        return with_live(other) == other;
    }

    bool operator==(const OptionValues& other) const {
        return fingerprint() == other.fingerprint();
    }

private:
    friend class OptionReader;
    struct Data;
    std::shared_ptr<const Data> data_;
};

/// Options of `plugin` as keys of a schema, for documentation and for validation.
/// @param faults  Where the plugin's own table is broken, for example a default out of range.
[[nodiscard]] std::vector<Key> option_keys(const umbra_plugin& plugin,
                                           std::vector<std::string>& faults);

/// Where the options stand.
struct OptionsPlace {
    const Node* table = nullptr;      ///< Null: none were given, defaults apply.
    std::string path;                 ///< "tunnel.main.options"
    Position at;                      ///< What a missing required option points at.
    std::vector<std::string> also{};  ///< Keys read elsewhere, which a misspelled one may mean.
};

/// Checks options against the table of the plugin and reports every mistake.
/// @return Aligned with `plugin.options`; to be used only if no problem was added.
[[nodiscard]] OptionValues read_options(const umbra_plugin& plugin, const OptionsPlace& place,
                                        const Origin& origin, Problems& problems);

/// Commented TOML of all options with their defaults, as documentation and to copy from.
[[nodiscard]] std::string sample_options(const umbra_plugin& plugin);

}  // namespace umbra::config
