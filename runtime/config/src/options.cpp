#include "literal.hpp"
#include "option_schema.hpp"
#include "reader.hpp"
#include <umbra/config/catalog.hpp>
#include <umbra/config/options.hpp>

#include <algorithm>
#include <deque>
#include <optional>

namespace umbra::config {

struct OptionValues::Data {
    std::vector<umbra_value> values;
    std::deque<std::string> texts;  ///< A deque: what `values` points to must not move.
    std::deque<std::vector<umbra_str>> lists;
    std::string fingerprint;
    std::vector<ShownOption> shown;
};

namespace {

std::optional<Type> type_of(std::uint32_t type) {
    switch (type) {
        case UMBRA_OPT_STRING:
            return Type::string;
        case UMBRA_OPT_INTEGER:
            return Type::integer;
        case UMBRA_OPT_BOOLEAN:
            return Type::boolean;
        case UMBRA_OPT_FLOAT:
            return Type::number;
        case UMBRA_OPT_DURATION:
            return Type::duration;
        case UMBRA_OPT_SIZE:
            return Type::size;
        case UMBRA_OPT_ENDPOINT:
            return Type::endpoint;
        case UMBRA_OPT_PATH:
            return Type::path;
        case UMBRA_OPT_ENUM:
            return Type::choice;
        case UMBRA_OPT_URL:
            return Type::url;
        case UMBRA_OPT_STRING_LIST:
            return Type::string_list;
        default:
            return std::nullopt;
    }
}

std::string text_of(const char* text) { return text == nullptr ? std::string() : text; }

/// Entries are as large as the plugin's SDK knew them, which may be more than here.
const umbra_option& option_at(const umbra_plugin& plugin, std::size_t index) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(plugin.options);
    const std::size_t stride = plugin.options->struct_size;
    return *reinterpret_cast<const umbra_option*>(bytes + index * stride);
}

std::string owner_of(const umbra_plugin& plugin) {
    return std::string(kind_name(static_cast<umbra_kind>(plugin.kind))) + " plugin " +
           in_quotes(text_of(plugin.name));
}

Key key_of(const umbra_option& option) {
    Key key{.name = text_of(option.key),
            .type = type_of(option.type).value_or(Type::string),
            .required = (option.flags & UMBRA_OPT_REQUIRED) != 0,
            .def = text_of(option.def),
            .min = text_of(option.min),
            .max = text_of(option.max),
            .help = text_of(option.help),
            .secret = (option.flags & UMBRA_OPT_SECRET) != 0};
    for (const char* const* c = option.choices; c != nullptr && *c != nullptr; ++c) {
        key.choices.emplace_back(*c);
    }
    return key;
}

std::string literal_fault(const std::string& what, const std::string& literal, const Key& rule) {
    if (literal.empty()) return {};
    const auto node = parse_literal(literal);
    if (!node) return what + literal + " is not a TOML literal";
    const Origin origin;
    Reader reader(origin);
    return reader.read(rule, *node) ? std::string() : what + literal + " " + reader.fault().text;
}

/// What is wrong with the plugin's own declaration of an option; empty when nothing is.
std::string declaration_fault(const umbra_option& option, const Key& key) {
    if (key.name.empty()) return "an option without a key";
    const std::string lead = "option " + in_quotes(key.name) + ": ";
    if (!type_of(option.type)) return lead + "unknown type " + std::to_string(option.type);
    if (key.type == Type::choice && key.choices.empty()) return lead + "no choices";
    const Key unlimited{.name = key.name, .type = key.type, .choices = key.choices};
    std::string fault = literal_fault("minimum ", key.min, unlimited);
    if (fault.empty()) fault = literal_fault("maximum ", key.max, unlimited);
    if (fault.empty()) fault = literal_fault("default ", key.def, key);
    return fault.empty() ? fault : lead + fault;
}

/// Dotted keys of options are keys of sub-tables.
void add_key(Table& table, Key key) {
    const std::size_t dot = key.name.find('.');
    if (dot == std::string::npos) {
        table.keys.push_back(std::move(key));
        return;
    }
    const std::string first = key.name.substr(0, dot);
    key.name.erase(0, dot + 1);
    for (Table& inner : table.tables) {
        if (inner.name == first) return add_key(inner, std::move(key));
    }
    table.tables.push_back(Table{.name = first, .implied = true, .owner = table.owner});
    add_key(table.tables.back(), std::move(key));
}

const Value* find_value(const Section& section, std::string_view key) {
    const std::size_t dot = key.find('.');
    if (dot == std::string_view::npos) return section.find(key);
    return find_value(section.table(key.substr(0, dot)), key.substr(dot + 1));
}

}  // namespace

/// Turns validated values into those of the binary interface.
class OptionReader {
public:
    void add(const umbra_option& option, const std::string& key, const Value* value) {
        umbra_value out{};
        out.type = option.type;
        ShownOption shown{
            key, {}, (option.flags & UMBRA_OPT_SECRET) != 0, (option.flags & UMBRA_OPT_LIVE) != 0};
        if (value != nullptr) {
            out.present = 1;
            fill(out, *value);
            shown.literal = literal_of(*value);
        }
        add(out, std::move(shown));
    }

    /// A copy of what another one has.
    void add(const OptionValues& from, std::size_t index) {
        const OptionValues::Data& data = *from.data_;
        umbra_value out = data.values[index];
        out.text = keep(std::string(out.text.ptr == nullptr ? "" : out.text.ptr, out.text.len));
        if (out.list_len != 0) {
            std::vector<std::string> list;
            for (std::size_t i = 0; i < out.list_len; ++i) {
                list.emplace_back(out.list[i].ptr, out.list[i].len);
            }
            keep(out, list);
        }
        add(out, data.shown[index]);
    }

    [[nodiscard]] OptionValues done() {
        OptionValues values;
        values.data_ = std::move(data_);
        return values;
    }

private:
    void add(const umbra_value& value, ShownOption shown) {
        if (shown.literal) {
            data_->fingerprint += key_literal(shown.key) + " = " + *shown.literal + "\n";
        }
        data_->values.push_back(value);
        data_->shown.push_back(std::move(shown));
    }

    void fill(umbra_value& out, const Value& value) {
        switch (value.type) {
            case Type::integer:
            case Type::boolean:
            case Type::duration:
            case Type::size:
                out.integer = value.integer;
                break;
            case Type::number:
                out.number = value.number;
                break;
            case Type::string_list:
                keep(out, value.list);
                return;
            default:
                break;
        }
        // Durations keep their text too; it does no harm and reads well in a plugin's log.
        out.text = keep(value.text);
    }

    /// Equal values give equal text, however they were written.
    static std::string literal_of(const Value& value) {
        switch (value.type) {
            case Type::integer:
                return std::to_string(value.integer);
            case Type::boolean:
                return value.integer != 0 ? "true" : "false";
            case Type::duration:
                return string_literal(format_duration(Duration{value.integer}));
            case Type::size:
                return string_literal(format_size(value.integer));
            case Type::number:
                return number_literal(value.number);
            case Type::string_list: {
                std::string list;
                for (const std::string& item : value.list) {
                    list += (list.empty() ? "" : ", ") + string_literal(item);
                }
                return "[" + list + "]";
            }
            default:
                return string_literal(value.text);
        }
    }

    void keep(umbra_value& out, const std::vector<std::string>& items) {
        std::vector<umbra_str> list;
        for (const std::string& item : items) list.push_back(keep(item));
        data_->lists.push_back(std::move(list));
        out.list = data_->lists.back().data();
        out.list_len = data_->lists.back().size();
    }

    umbra_str keep(const std::string& text) {
        data_->texts.push_back(text);
        return {data_->texts.back().data(), data_->texts.back().size()};
    }

    std::shared_ptr<OptionValues::Data> data_ = std::make_shared<OptionValues::Data>();
};

const umbra_value* OptionValues::data() const noexcept {
    return data_ == nullptr ? nullptr : data_->values.data();
}

std::size_t OptionValues::size() const noexcept {
    return data_ == nullptr ? 0 : data_->values.size();
}

const std::string& OptionValues::fingerprint() const noexcept {
    static const std::string none;
    return data_ == nullptr ? none : data_->fingerprint;
}

const std::vector<ShownOption>& OptionValues::shown() const noexcept {
    static const std::vector<ShownOption> none;
    return data_ == nullptr ? none : data_->shown;
}

/// By key, not by place: the other one may be of another version of the plugin.
OptionValues OptionValues::with_live(const OptionValues& other) const {
    OptionReader mixed;
    const auto& theirs = other.shown();
    for (std::size_t i = 0; i < shown().size(); ++i) {
        const ShownOption& own = shown()[i];
        const auto found = std::find_if(theirs.begin(), theirs.end(), [&](const ShownOption& one) {
            return one.key == own.key && one.live && own.live;
        });
        const auto at = static_cast<std::size_t>(found - theirs.begin());
        const bool take = found != theirs.end() && other.data()[at].type == data()[i].type;
        take ? mixed.add(other, at) : mixed.add(*this, i);
    }
    return mixed.done();
}

std::vector<Key> option_keys(const umbra_plugin& plugin, std::vector<std::string>& faults) {
    std::vector<Key> keys;
    if (plugin.option_count == 0) return keys;
    if (plugin.options == nullptr || plugin.options->struct_size < sizeof(umbra_option)) {
        faults.push_back("the table of options is not of this version of the interface");
        return keys;
    }
    for (std::size_t i = 0; i < plugin.option_count; ++i) {
        const umbra_option& option = option_at(plugin, i);
        Key key = key_of(option);
        std::string fault = declaration_fault(option, key);
        for (const Key& other : keys) {
            const std::string dotted = other.name + ".";
            if (other.name == key.name || key.name.compare(0, dotted.size(), dotted) == 0 ||
                other.name.compare(0, key.name.size() + 1, key.name + ".") == 0) {
                fault = "option " + in_quotes(key.name) + " is declared twice";
            }
        }
        if (!fault.empty()) faults.push_back(std::move(fault));
        keys.push_back(std::move(key));
    }
    return keys;
}

OptionSchema option_schema(const umbra_plugin& plugin) {
    OptionSchema schema;
    schema.keys = option_keys(plugin, schema.faults);
    schema.table.owner = owner_of(plugin);
    for (const Key& key : schema.keys) add_key(schema.table, key);
    return schema;
}

const OptionSchema& OptionSchemas::of(const umbra_plugin& plugin) {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(&plugin);
    if (known != known_.end()) return known->second;
    return known_.emplace(&plugin, option_schema(plugin)).first->second;
}

OptionValues read_options(const umbra_plugin& plugin, const OptionSchema& schema,
                          const OptionsPlace& place, const Origin& origin, Problems& problems) {
    for (const std::string& fault : schema.faults) {
        problems.add(origin.problem(place.at, place.path,
                                    owner_of(plugin) + " declares its options wrongly: " + fault,
                                    "this is a fault of the plugin; report it to its author"));
    }
    if (!schema.faults.empty()) return {};
    Node empty;
    empty.at = place.at;
    const Node& given = place.table == nullptr ? empty : *place.table;
    const Section section = validate_at(given, schema.table, place.path, origin, problems);
    OptionReader values;
    for (std::size_t i = 0; i < schema.keys.size(); ++i) {
        const std::string& key = schema.keys[i].name;
        values.add(option_at(plugin, i), key, find_value(section, key));
    }
    return values.done();
}

OptionValues read_options(const umbra_plugin& plugin, const OptionsPlace& place,
                          const Origin& origin, Problems& problems) {
    OptionSchema schema = option_schema(plugin);
    schema.table.also = place.also;
    return read_options(plugin, schema, place, origin, problems);
}

std::string sample_options(const umbra_plugin& plugin) {
    std::vector<std::string> faults;
    std::string out;
    for (const Key& key : option_keys(plugin, faults)) {
        out += "# " + key.help + "\n# " + describe(key) + (key.required ? "; required" : "") + "\n";
        // A required key has no value to show: the line is there to be filled in.
        out += (key.required ? "" : "# ") + key.name + " = " +
               (key.def.empty() ? "\"\"" : key.def) + "\n\n";
    }
    return out;
}

}  // namespace umbra::config
