#include "text.hpp"
#include <umbra/host/describe.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <array>

namespace umbra::host {

namespace {

namespace json = boost::json;

std::string abi_text(unsigned major, unsigned minor) {
    return std::to_string(major) + "." + std::to_string(minor);
}

std::string size_text(std::uint64_t size) {
    constexpr std::uint64_t kib = 1024;
    return size < 10 * kib ? std::to_string(size) + " bytes" : std::to_string(size / kib) + " KiB";
}

std::string joined(const std::vector<std::string>& list, const char* separator) {
    std::string text;
    for (const auto& item : list) text += (text.empty() ? "" : separator) + item;
    return text;
}

using Row = std::array<std::string, 6>;

Row row_of(const OptionDescription& option) {
    std::string range = joined(option.choices, "|");
    if (!option.min.empty() || !option.max.empty()) range = option.min + " .. " + option.max;
    std::string help = option.help;
    if (option.secret) help += help.empty() ? "(secret)" : " (secret)";
    return {option.key,
            option.unit.empty() ? option.type : option.type + ", " + option.unit,
            option.required      ? "required"
            : option.def.empty() ? "-"
                                 : option.def,
            range,
            option.live ? "yes" : "",
            help};
}

std::string table_text(const std::vector<OptionDescription>& options) {
    std::vector<Row> rows{{"OPTION", "TYPE", "DEFAULT", "RANGE", "LIVE", "HELP"}};
    for (const auto& option : options) rows.push_back(row_of(option));
    std::array<std::size_t, std::tuple_size_v<Row>> widths{};
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    std::string text;
    for (const auto& row : rows) {
        std::string line = " ";
        for (std::size_t i = 0; i < row.size(); ++i)
            line += " " + row[i] + std::string(widths[i] - row[i].size() + 1, ' ');
        text += line.erase(line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

json::object json_of(const OptionDescription& option) {
    const auto or_null = [](const std::string& text) {
        return text.empty() ? json::value(nullptr) : json::value(text);
    };
    return {{"key", option.key},
            {"type", option.type},
            {"default", or_null(option.def)},
            {"min", or_null(option.min)},
            {"max", or_null(option.max)},
            {"choices", json::value_from(option.choices)},
            {"unit", or_null(option.unit)},
            {"help", option.help},
            {"required", option.required},
            {"live", option.live},
            {"secret", option.secret}};
}

}  // namespace

std::string to_text(const Description& d) {
    std::string text = d.path.string();
    if (d.exists)
        text += "  " + size_text(d.size) + "  owner " + d.owner + "  mode " + mode_text(d.mode);
    text += "\n";
    const auto line = [&](std::string name, const std::string& value) {
        constexpr std::size_t name_width = 14;
        name.resize(name_width, ' ');
        if (!value.empty()) text += "  " + name + value + "\n";
    };
    line("loadable", d.loadable() ? "yes" : "no");
    line("reason", d.refusal);
    if (const auto& id = d.identity) {
        line("plugin", kind_word(id->kind) + " " + id->name + " " + id->version);
        line("ABI", abi_text(id->abi_major, id->abi_minor) + " (this host: " +
                        abi_text(UMBRA_ABI_MAJOR, UMBRA_ABI_MINOR) + "), SDK " + id->sdk_version);
    }
    line("summary", d.summary);
    line("license", d.license);
    line("capabilities", joined(d.capabilities, ", "));
    if (!d.options.empty()) text += "\n" + table_text(d.options);
    return text;
}

std::string to_json(const Description& d) {
    json::object object{{"file", d.path.string()}};
    object["size"] = d.exists ? json::value(d.size) : json::value(nullptr);
    object["owner"] = d.exists ? json::value(d.owner) : json::value(nullptr);
    object["mode"] = d.exists ? json::value(mode_text(d.mode)) : json::value(nullptr);
    object["loadable"] = d.loadable();
    object["reason"] = d.loadable() ? json::value(nullptr) : json::value(d.refusal);
    object["host_abi"] = abi_text(UMBRA_ABI_MAJOR, UMBRA_ABI_MINOR);
    if (const auto& id = d.identity) {
        object["abi"] = abi_text(id->abi_major, id->abi_minor);
        object["sdk"] = id->sdk_version;
        object["kind"] = kind_word(id->kind);
        object["name"] = id->name;
        object["version"] = id->version;
    }
    if (d.loadable()) {
        object["summary"] = d.summary;
        object["license"] = d.license;
        object["capabilities"] = json::value_from(d.capabilities);
        json::array options;
        for (const auto& option : d.options) options.push_back(json_of(option));
        object["options"] = std::move(options);
    }
    return json::serialize(object);
}

}  // namespace umbra::host
