#pragma once

#include <umbra/config/node.hpp>
#include <umbra/config/problem.hpp>
#include <umbra/config/source.hpp>
#include <umbra/config/values.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

enum class Type : std::uint8_t {
    string,
    integer,
    boolean,
    number,          ///< float, or an integer
    duration,        ///< "150ms"
    size,            ///< 65536 or "64KiB"
    endpoint,        ///< "host:port" to connect to
    listen,          ///< "host:port" to listen on; port 0 = any free one
    endpoint_range,  ///< "host:8080" or "host:8000-8010"
    listen_range,    ///< the same to listen on; port 0 = any free one
    path,            ///< relative ones become relative to the directory of the file
    choice,          ///< one of `choices`
    url,             ///< "scheme://rest"
    name,            ///< see is_name()
    string_list,
    path_list,
    endpoint_ranges,  ///< one or several of `endpoint_range`
    address_list,     ///< one or several of "unix:/path", "https://host:port"
    table             ///< any keys; read it with Section::node()
};

/// What a key of a table may hold. Literals are TOML: `"\"2s\""`, `"1"`; empty = none.
struct Key {
    std::string name;
    Type type = Type::string;
    bool required = false;
    std::string def{}, min{}, max{};  ///< min and max: integer, number, duration, size
    std::vector<std::string> choices{};
    std::string help{};   ///< One sentence; shown when the key is missing or wrong.
    bool secret = false;  ///< Neither the value nor its line is ever shown.
};

/// What a table may hold. Unknown keys and tables are errors.
struct Table {
    std::string name{};     ///< Empty for the file itself.
    bool required = false;  ///< The table itself must be there. (Required keys of an absent,
                            ///< optional table are not asked for; its defaults do apply.)
    bool named = false;     ///< [name.X]: any number of such tables, X chosen by the user.
    bool implied = false;   ///< An absent one counts as an empty one: required keys are asked for.
    std::vector<Key> keys{};
    std::vector<Table> tables{};
    std::string help{};
    std::string owner{};              ///< Said in problems: `tunnel plugin "gateway"`.
    std::vector<std::string> also{};  ///< Keys read elsewhere, which a misspelled one may mean.
};

/// One validated value.
struct Value {
    Type type = Type::string;
    bool given = false;  ///< false: the default
    Position at;         ///< Of the value; of the table where it is a default.
    Position key_at;
    std::int64_t integer = 0;  ///< integer, boolean, duration (ns), size (bytes)
    double number = 0;
    std::string text;  ///< All types that are strings; paths absolute or relative to the process.
    std::vector<std::string> list;
    EndpointRange endpoint;                ///< endpoint, listen (first == last), and ranges
    std::vector<EndpointRange> endpoints;  ///< endpoint_ranges
    std::vector<ListenAddress> addresses;
    Node node;  ///< table
};

/// One validated table. Values that were wrong are absent, so check `Problems` before use.
class Section {
public:
    /// X of [listener.X]; else the name of the table.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// "listener.crm"
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] bool given() const noexcept { return given_; }
    [[nodiscard]] Position at() const noexcept { return at_; }

    /// Null when absent and without a default (or wrong).
    [[nodiscard]] const Value* find(std::string_view key) const;
    [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
    /// Of the value as given; of the table where it was not.
    [[nodiscard]] Position at(std::string_view key) const;

    /// @pre `has(key)` and the key is of such a type; else the process stops.
    [[nodiscard]] const std::string& text(std::string_view key) const;
    [[nodiscard]] std::int64_t integer(std::string_view key) const;
    [[nodiscard]] bool boolean(std::string_view key) const;
    [[nodiscard]] double number(std::string_view key) const;
    [[nodiscard]] Duration duration(std::string_view key) const;
    [[nodiscard]] std::int64_t size(std::string_view key) const;
    [[nodiscard]] Endpoint endpoint(std::string_view key) const;
    [[nodiscard]] EndpointRange endpoint_range(std::string_view key) const;
    [[nodiscard]] const std::vector<EndpointRange>& endpoint_ranges(std::string_view key) const;
    [[nodiscard]] std::filesystem::path path(std::string_view key) const;
    [[nodiscard]] const std::vector<std::string>& list(std::string_view key) const;
    [[nodiscard]] const std::vector<ListenAddress>& addresses(std::string_view key) const;
    [[nodiscard]] const Node& node(std::string_view key) const;

    /// The sub-table `name`; there also when the file does not have it (`given()` is false).
    /// @pre the schema has such a table
    [[nodiscard]] const Section& table(std::string_view name) const;
    /// All of [name.X], sorted by X.
    [[nodiscard]] const std::vector<Section>& named(std::string_view name) const;

private:
    friend class Validator;
    template <class Fits>
    [[nodiscard]] const Value& expect(std::string_view key, Fits fits) const;

    struct Slot {
        std::string key;
        Value value;
    };
    struct Group {
        std::string name;
        std::vector<Section> members;
    };
    std::string name_, path_;
    bool given_ = false;
    Position at_;
    std::vector<Slot> values_;
    std::vector<Group> tables_;
    std::vector<Group> named_;
};

/// Where a tree came from: how a problem names its place, and what paths are relative to.
struct Origin {
    const Source* source = nullptr;  ///< Null: problems name the key instead of a line.
    std::string where{};             ///< Shown in front of a key then, for example "revision 3.41".
    bool paths_absolute = false;     ///< Relative paths are a mistake.

    [[nodiscard]] Problem problem(Position at, std::string key, std::string text,
                                  std::string help = {}) const;
};

/// Checks a parsed file against a schema and reports every mistake at once.
[[nodiscard]] Section validate(const Node& root, const Table& schema, const Origin& origin,
                               Problems& problems);

/// Reads, parses and validates a file. @return nothing when it could not be read or parsed; else
/// the section, which is to be used only if `problems` stayed empty.
[[nodiscard]] std::optional<Section> load(const std::filesystem::path& file, const Table& schema,
                                          Problems& problems);

}  // namespace umbra::config
