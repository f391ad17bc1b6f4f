#include <umbra/etcd_storage/etcd_store.hpp>
#include <umbra/sdk/export.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace umbra::etcd_storage {

namespace {

constexpr std::size_t prefix_max = 200;

struct Options {
    std::vector<std::string> endpoints;
    std::optional<std::string> prefix;
    std::string user;
    std::optional<std::string> password;
    std::optional<std::string> password_file;
    std::optional<std::string> ca_file;
    std::optional<std::string> cert_file;
    std::optional<std::string> key_file;
    Duration connect_timeout = std::chrono::seconds{2};
    Duration request_timeout = std::chrono::seconds{5};
    Duration patience = std::chrono::seconds{30};
    bool adopt = false;
};

[[noreturn]] void wrong(const std::string& message) { throw Failure{Errc::invalid, message}; }

std::string password_of(const Options& options) {
    if (options.user.empty() && (options.password || options.password_file))
        wrong("a password is of no use without the option \"user\"; set it");
    if (options.user.empty()) return {};
    if (options.password.has_value() == options.password_file.has_value())
        wrong("option \"user\" needs a password: set either \"password_file\" or \"password\"");
    if (options.password) return *options.password;
    auto read = etcd::read_password(*options.password_file);
    if (!read.ok()) wrong("option \"password_file\": " + read.error().message);
    return std::move(read).value();
}

std::string prefix_of(const Context& context, const Options& options) {
    auto prefix = options.prefix.value_or("/umbra/" + std::string{context.instance_name()} + "/");
    if (prefix.empty() || prefix.size() > prefix_max ||
        prefix.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "/._-") != std::string::npos)
        wrong("option \"prefix\": \"" + prefix +
              "\" cannot begin a key; use up to 200 letters, digits and /._-");
    if (prefix.back() != '/') prefix += '/';
    return prefix;
}

Settings settings_of(const Context& context, const Options& options) {
    Settings settings;
    if (options.endpoints.empty() || options.endpoints.size() > etcd::endpoints_max)
        wrong("option \"endpoints\" names 1 to 16 members of etcd, found " +
              std::to_string(options.endpoints.size()));
    for (const auto& url : options.endpoints) {
        auto endpoint = etcd::parse_endpoint(url);
        if (!endpoint.ok()) wrong("option \"endpoints\": " + endpoint.error().message);
        settings.client.endpoints.push_back(std::move(endpoint).value());
    }
    if (options.cert_file.has_value() != options.key_file.has_value())
        wrong("options \"cert_file\" and \"key_file\" belong together; set both or none");
    settings.client.tls = {options.ca_file.value_or(""), options.cert_file.value_or(""),
                           options.key_file.value_or("")};
    settings.client.user = options.user;
    settings.client.password = password_of(options);
    settings.client.connect_timeout = options.connect_timeout;
    settings.client.request_timeout = options.request_timeout;
    settings.client.patience = options.patience;
    settings.client.warn = [context](const std::string& text) { context.warn(text); };
    settings.prefix = prefix_of(context, options);
    settings.directory = context.state_dir();
    settings.instance = context.instance_name();
    settings.adopt = options.adopt;
    return settings;
}

}  // namespace

class EtcdStorage final : public storage_queue::QueuedStorage {
public:
    using Options = etcd_storage::Options;
    static constexpr PluginInfo info{"etcd", "0.1.0",
                                     "Keeps the shared configuration in an etcd cluster."};
    static constexpr auto schema = umbra::options<Options>(
        umbra::opt<&Options::endpoints>("endpoints")
            .required()
            .help("Members of the cluster, \"https://host:2379\", tried in order."),
        umbra::opt<&Options::prefix>("prefix").help(
            "What the keys begin with, of this instance alone; else /umbra/<its name>/."),
        umbra::opt<&Options::user>("user").help("User of etcd; none where it has no users."),
        umbra::opt<&Options::password>("password")
            .secret()
            .help("Password of the user; better in password_file."),
        umbra::opt<&Options::password_file>("password_file")
            .type(UMBRA_OPT_PATH)
            .help("File with the password in its first line."),
        umbra::opt<&Options::ca_file>("ca_file")
            .type(UMBRA_OPT_PATH)
            .help("PEM file of the authorities that vouch for the members; else the system's."),
        umbra::opt<&Options::cert_file>("cert_file")
            .type(UMBRA_OPT_PATH)
            .help("PEM file of the certificate to show, where etcd asks for one."),
        umbra::opt<&Options::key_file>("key_file")
            .type(UMBRA_OPT_PATH)
            .help("PEM file of the key of cert_file."),
        umbra::opt<&Options::connect_timeout>("connect_timeout")
            .def("\"2s\"")
            .range("\"10ms\"", "\"1m\"")
            .help("How long a connection to one member may take."),
        umbra::opt<&Options::request_timeout>("request_timeout")
            .def("\"5s\"")
            .range("\"100ms\"", "\"1m\"")
            .help("How long one member may take for an answer."),
        umbra::opt<&Options::patience>("patience")
            .def("\"30s\"")
            .range("\"0s\"", "\"10m\"")
            .help("How long an operation goes on trying; then the instance ends."),
        umbra::opt<&Options::adopt>("adopt").def("false").help(
            "Take the prefix over from an instance that is gone for good; for one start only."));

    EtcdStorage(Context context, const Options& options)
        : QueuedStorage(context, std::make_unique<EtcdStore>(settings_of(context, options))) {}
};

}  // namespace umbra::etcd_storage

UMBRA_PLUGIN(umbra::etcd_storage::EtcdStorage)
