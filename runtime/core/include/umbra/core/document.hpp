#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace umbra::core {

/// The shared configuration: dotted key -> TOML literal, both in canonical form.
///
/// Keys are written as TOML writes them (`tunnel.main.options.address`, parts with other characters
/// quoted); literals are what stands right of the `=` (`"127.0.0.1:7443"`, `2`, `["a", "b"]`). The
/// core compares and carries literals and never looks into them; `runtime/config` makes and reads
/// them. Ordered, so that equal documents are equal byte for byte on both instances.
using Document = std::map<std::string, std::string>;

/// One key of an edit. Without a literal the key is removed.
struct Change {
    std::string key;
    std::optional<std::string> literal;

    bool operator==(const Change&) const = default;
};

/// Applies `changes` in order. Removing a key that is not there does nothing.
void apply(Document& document, const std::vector<Change>& changes);

/// What turns `from` into `to`, ordered by key.
[[nodiscard]] std::vector<Change> difference(const Document& from, const Document& to);

}  // namespace umbra::core
