#include "register_settings.hpp"

#include <umbra/config/source.hpp>
#include <umbra/gateway/other_gateways.hpp>

#include <algorithm>

namespace umbra::gateway {
namespace {

using config::Key;
using config::Table;
using config::Type;
using namespace std::chrono_literals;

constexpr std::size_t prefix_max = 200;
constexpr const char* key_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";

Table schema_of_register() {
    Table table;
    table.name = "register";
    table.help = "Where epochs are kept: on this machine, or in an etcd that gateways share.";
    table.keys = {
        Key{.name = "store",
            .type = Type::choice,
            .def = "\"file\"",
            .choices = {"file", "etcd"},
            .help = "\"etcd\" lets several gateways share one register."},
        Key{.name = "endpoints",
            .type = Type::string_list,
            .help = "Members of etcd, for example [\"https://etcd-1.example:2379\"]."},
        Key{.name = "prefix",
            .type = Type::string,
            .def = "\"/umbra-gateway/\"",
            .help = "What the keys begin with; the same for all gateways that share the register."},
        Key{.name = "user", .type = Type::string, .help = "User of etcd, where it has users."},
        Key{.name = "password_file",
            .type = Type::path,
            .help = "File with the password of the user in its first line."},
        Key{.name = "ca_file",
            .type = Type::path,
            .help = "PEM file of the authorities that vouch for etcd; else the system's."},
        Key{.name = "cert_file",
            .type = Type::path,
            .help = "PEM file of the certificate to show, where etcd asks for one."},
        Key{.name = "key_file", .type = Type::path, .help = "PEM file of the key of cert_file."},
        Key{.name = "hold",
            .type = Type::duration,
            .def = "\"5s\"",
            .min = "\"500ms\"",
            .max = "\"1m\"",
            .help = "How long a gateway that etcd does not answer goes on routing; a gateway that "
                    "died is waited for as long."},
    };
    return table;
}

/// Reads one table, and says what is wrong where.
class Reading {
public:
    Reading(const config::Section& table, const config::Source& source, config::Problems& problems)
        : table_(table), source_(source), problems_(problems) {}

    void wrong(const char* key, std::string text, std::string help) {
        auto problem = source_.problem(table_.at(key), std::move(text), std::move(help));
        problem.key = std::string("gateway.register.") + key;
        problems_.add(std::move(problem));
    }
    [[nodiscard]] std::string text(const char* key) const {
        return table_.has(key) ? table_.text(key) : std::string();
    }
    [[nodiscard]] std::string path(const char* key) const {
        return table_.has(key) ? table_.path(key).string() : std::string();
    }

    void nothing_but_store() {
        for (const auto& key : schema_of_register().keys)
            if (const auto* value = table_.find(key.name);
                value != nullptr && value->given && key.name != "store")
                wrong(key.name.c_str(), "\"" + key.name + "\" is of no use with store = \"file\"",
                      "set store = \"etcd\", or leave it out");
    }
    void endpoints(SharedRegisterSettings& settings) {
        if (!table_.has("endpoints") || table_.list("endpoints").empty())
            return wrong("endpoints", "store = \"etcd\" needs endpoints",
                         "for example endpoints = [\"https://etcd-1.example:2379\"]");
        const auto& urls = table_.list("endpoints");
        if (urls.size() > etcd::endpoints_max)
            return wrong(
                "endpoints",
                "there are more than " + std::to_string(etcd::endpoints_max) + " endpoints",
                "name some members of the cluster");
        for (const auto& url : urls) {
            auto endpoint = etcd::parse_endpoint(url);
            if (!endpoint) {
                wrong("endpoints", endpoint.error().message, "");
                continue;
            }
            settings.endpoints += (settings.endpoints.empty() ? "" : ", ") + url;
            settings.client.endpoints.push_back(std::move(endpoint).value());
        }
    }
    void prefix(SharedRegisterSettings& settings) {
        settings.prefix = text("prefix");
        if (settings.prefix.empty() || settings.prefix.size() > prefix_max ||
            settings.prefix.find_first_not_of(key_characters) != std::string::npos)
            return wrong("prefix", "\"" + settings.prefix + "\" cannot begin a key",
                         "use up to 200 letters, digits and /._-");
        if (settings.prefix.back() != '/') settings.prefix += '/';
    }
    void access(SharedRegisterSettings& settings) {
        settings.user = settings.client.user = text("user");
        settings.password_file = path("password_file");
        settings.ca_file = settings.client.tls.ca = path("ca_file");
        settings.cert_file = settings.client.tls.certificate = path("cert_file");
        settings.key_file = settings.client.tls.key = path("key_file");
        if (settings.cert_file.empty() != settings.key_file.empty())
            wrong(settings.cert_file.empty() ? "key_file" : "cert_file",
                  "cert_file and key_file belong together", "set both or none");
        if (settings.user.empty() != settings.password_file.empty())
            return wrong(settings.user.empty() ? "password_file" : "user",
                         "user and password_file belong together", "set both or none");
        if (settings.user.empty()) return;
        auto password = etcd::read_password(settings.password_file);
        if (!password) return wrong("password_file", password.error().message, "");
        settings.client.password = std::move(password).value();
    }
    void times(SharedRegisterSettings& settings, Duration lease) {
        settings.hold = table_.duration("hold");
        if (settings.hold < 2 * lease)
            wrong("hold",
                  "hold is shorter than two leases (" + config::format_duration(2 * lease) + ")",
                  "make it longer: a leader of etcd is elected within about 2s");
        // One pass over the members within the hold, with time left to try again.
        settings.client.request_timeout = settings.hold / 4;
        settings.client.connect_timeout = std::min<Duration>(settings.hold / 8, 2s);
        settings.client.patience = Duration{};
    }

private:
    const config::Section& table_;
    const config::Source& source_;
    config::Problems& problems_;
};

}  // namespace

const config::Table& register_schema() {
    static const Table table = schema_of_register();
    return table;
}

std::optional<SharedRegisterSettings> load_register(const config::Section& table,
                                                    const config::Source& source, Duration lease,
                                                    config::Problems& problems) {
    if (!table.has("store") || !table.has("prefix") || !table.has("hold")) return std::nullopt;
    Reading reading(table, source, problems);
    if (table.text("store") == "file") {
        reading.nothing_but_store();
        return std::nullopt;
    }
    SharedRegisterSettings settings;
    reading.endpoints(settings);
    reading.prefix(settings);
    reading.access(settings);
    reading.times(settings, lease);
    return settings;
}

}  // namespace umbra::gateway
