#include "sample_catalog.hpp"

namespace umbra::config {

namespace {

constexpr const char* fencing[] = {UMBRA_CAP_FENCES, nullptr};
constexpr const char* choices[] = {"connect", "banner", nullptr};

umbra_option ranged(umbra_option base, const char* min, const char* max) {
    base.min = min;
    base.max = max;
    return base;
}

umbra_option choice(umbra_option base) {
    base.choices = choices;
    return base;
}

const std::array<umbra_option, 3> zeromq_options{
    option("publish", UMBRA_OPT_URL, nullptr, UMBRA_OPT_REQUIRED),
    option("respond", UMBRA_OPT_URL, nullptr, UMBRA_OPT_REQUIRED),
    ranged(option("heartbeat", UMBRA_OPT_DURATION, "\"100ms\""), "\"20ms\"", "\"10s\"")};

const std::array<umbra_option, 5> gateway_options{
    option("address", UMBRA_OPT_ENDPOINT, nullptr, UMBRA_OPT_REQUIRED),
    ranged(option("links", UMBRA_OPT_INTEGER, "2"), "1", "8"),
    ranged(option("connect_timeout", UMBRA_OPT_DURATION, "\"2s\""), "\"10ms\"", "\"1m\""),
    option("reconnect_max", UMBRA_OPT_DURATION, "\"1s\""),
    option("pin", UMBRA_OPT_STRING, nullptr, UMBRA_OPT_SECRET)};

const std::array<umbra_option, 2> tcp_options{
    option("address", UMBRA_OPT_ENDPOINT, nullptr, UMBRA_OPT_REQUIRED),
    ranged(option("timeout", UMBRA_OPT_DURATION, "\"1s\""), "\"10ms\"", "\"1m\"")};

const std::array<umbra_option, 12> all_options{
    option("text", UMBRA_OPT_STRING, "\"plain\""),
    ranged(option("number", UMBRA_OPT_INTEGER, "3"), "-5", "10"),
    option("flag", UMBRA_OPT_BOOLEAN, "true"),
    ranged(option("ratio", UMBRA_OPT_FLOAT, "0.5"), "0", "1.0"),
    ranged(option("wait", UMBRA_OPT_DURATION, "\"2s\""), "\"10ms\"", "\"60s\""),
    ranged(option("buffer", UMBRA_OPT_SIZE, "\"64KiB\""), "1024", "\"1MiB\""),
    option("address", UMBRA_OPT_ENDPOINT),
    option("file", UMBRA_OPT_PATH),
    choice(option("mode", UMBRA_OPT_ENUM, "\"connect\"")),
    option("link", UMBRA_OPT_URL),
    option("words", UMBRA_OPT_STRING_LIST, "[\"a\", \"b\"]"),
    option("tls.enabled", UMBRA_OPT_BOOLEAN, "false")};

}  // namespace

umbra_option option(const char* key, std::uint32_t type, const char* def, std::uint32_t flags) {
    umbra_option out{};
    out.struct_size = sizeof(umbra_option);
    out.type = type;
    out.flags = flags;
    out.key = key;
    out.def = def;
    out.help = "For the tests.";
    return out;
}

umbra_plugin plugin(umbra_kind kind, const char* name, const umbra_option* options,
                    std::size_t count) {
    umbra_plugin out{};
    out.struct_size = sizeof(umbra_plugin);
    out.kind = static_cast<std::uint32_t>(kind);
    out.name = name;
    out.version = "0.1.0";
    out.options = options;
    out.option_count = count;
    return out;
}

SampleCatalog::SampleCatalog()
    : plugins_{plugin(UMBRA_KIND_TRANSPORT, "zeromq", zeromq_options.data(), zeromq_options.size()),
               plugin(UMBRA_KIND_TRANSPORT, "bare", nullptr, 0),
               plugin(UMBRA_KIND_STORAGE, "file", nullptr, 0),
               plugin(UMBRA_KIND_PROBE, "tcp", tcp_options.data(), tcp_options.size()),
               plugin(UMBRA_KIND_PROBE, "all", all_options.data(), all_options.size()),
               plugin(UMBRA_KIND_TUNNEL, "gateway", gateway_options.data(), gateway_options.size()),
               plugin(UMBRA_KIND_TUNNEL, "plain", nullptr, 0)} {
    plugins_[plugins_.size() - 2].capabilities = fencing;
}

const umbra_plugin* SampleCatalog::find(umbra_kind kind, std::string_view name) const {
    for (const umbra_plugin& candidate : plugins_) {
        if (candidate.kind == static_cast<std::uint32_t>(kind) && candidate.name == name) {
            return &candidate;
        }
    }
    return nullptr;
}

std::vector<std::string> SampleCatalog::names(umbra_kind kind) const {
    std::vector<std::string> out;
    for (const umbra_plugin& candidate : plugins_) {
        if (candidate.kind == static_cast<std::uint32_t>(kind)) out.emplace_back(candidate.name);
    }
    return out;
}

std::string SampleCatalog::why_missing(umbra_kind, std::string_view) const {
    return "searched /plugins";
}

std::vector<std::string> told(const Problems& problems) {
    std::vector<std::string> out;
    for (Problem problem : problems.list()) {
        problem.help.clear();
        problem.source_line.clear();
        std::string line = render(problem);
        line.pop_back();
        out.push_back(std::move(line));
    }
    return out;
}

}  // namespace umbra::config
