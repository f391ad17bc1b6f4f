#include "mapping_reader.hpp"

#include <algorithm>
#include <array>

namespace umbra::config {

namespace {

constexpr std::size_t resource_path_bytes_max = 2048;
constexpr std::size_t method_bytes_max = 32;

Table resource_table() {
    return {.name = "resource",
            .named = true,
            .keys = {{.name = "path",
                      .required = true,
                      .help = "what may be asked for, for example \"/api/orders\""},
                     {.name = "sub_paths",
                      .type = Type::boolean,
                      .def = "false",
                      .help = "also what is below the path, segment by segment: \"/a\" permits "
                              "\"/a/b\" but not \"/ab\""},
                     {.name = "methods",
                      .type = Type::string_list,
                      .help = "for example [\"GET\", \"HEAD\"]; without it, any but CONNECT and "
                              "TRACE"},
                     {.name = "upgrade",
                      .type = Type::boolean,
                      .def = "false",
                      .help = "permits WebSocket and other protocols that take a connection over"},
                     {.name = "active",
                      .type = Type::boolean,
                      .def = "true",
                      .help = "false suspends the resource without deleting it"}}};
}

bool is_pin(std::string_view text) {
    constexpr std::string_view prefix = "sha256:";
    return text.size() == prefix.size() + 64 && text.starts_with(prefix) &&
           text.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
}

bool is_method(std::string_view text) {
    return !text.empty() && text.size() <= method_bytes_max &&
           text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == std::string_view::npos;
}

/// One mapping, and what in it does not fit together.
class MappingReader {
public:
    MappingReader(const Section& section, const std::set<std::string>& probes, const Origin& origin,
                  Problems& problems)
        : section_(section), probes_(probes), origin_(origin), problems_(problems) {}

    Mapping read() {
        out_.name = section_.name();
        if (section_.has("virtual")) out_.virtual_at = section_.endpoint_range("virtual");
        if (section_.has("active")) out_.active = section_.boolean("active");
        if (section_.has("internal")) read_backends();
        if (section_.has("probes")) read_probes();
        if (section_.has("proxy_protocol")) out_.proxy_v2 = section_.text("proxy_protocol") == "v2";
        for (const Section& resource : section_.named("resource"))
            out_.resources.push_back(read_resource(resource));
        // Without a protocol that is one, nothing can be said about what fits it.
        if (!section_.has("protocol")) return out_;
        out_.protocol = section_.text("protocol");
        read_tls();
        read_http();
        return out_;
    }

private:
    void report(const Section& section, const std::string& key, std::string text,
                std::string help = {}) {
        problems_.add(origin_.problem(section.at(key), section.path() + "." + key, std::move(text),
                                      std::move(help)));
    }
    void report(const std::string& key, std::string text, std::string help = {}) {
        report(section_, key, std::move(text), std::move(help));
    }

    void read_backends() {
        const auto& ranges = section_.endpoint_ranges("internal");
        if (ranges.empty())
            return report("internal", "\"internal\" is an empty list",
                          "a mapping leads to at least one backend");
        if (ranges.size() > backends_max)
            return report("internal", "there are " + std::to_string(ranges.size()) +
                                          " backends, but at most " + std::to_string(backends_max) +
                                          " are allowed");
        for (const EndpointRange& range : ranges) {
            const Endpoint first{range.host, range.first};
            if (std::count(out_.internals.begin(), out_.internals.end(), first) != 0)
                report("internal", "the backend " + in_quotes(to_string(first)) + " is named twice",
                       "each backend gets an equal share");
            out_.internals.push_back(first);
            if (section_.has("virtual")) check_ports(range);
        }
    }

    void check_ports(const EndpointRange& internal) {
        const int ports = out_.virtual_at.last - out_.virtual_at.first;
        const int internal_ports = internal.last - internal.first;
        if (internal_ports != 0 && internal_ports != ports) {
            report("internal",
                   "\"internal\" has " + std::to_string(internal_ports + 1) +
                       " ports, but \"virtual\" has " + std::to_string(ports + 1),
                   "give the first port of \"internal\" alone, or as many as in \"virtual\"");
        } else if (internal.first + ports > 65535) {
            report("internal", "the range of \"virtual\" has " + std::to_string(ports + 1) +
                                   " ports, which from " + std::to_string(internal.first) +
                                   " on would go past port 65535");
        }
    }

    void read_probes() {
        out_.probes = section_.list("probes");
        for (const std::string& probe : out_.probes) {
            if (probes_.contains(probe)) continue;
            const std::vector<std::string> known(probes_.begin(), probes_.end());
            report("probes", "there is no [probe." + probe + "]",
                   known.empty() ? "the configuration has no probes" : suggest(probe, known));
        }
        if (section_.has("internal") && !out_.internals.empty() &&
            out_.probes.size() != out_.internals.size())
            report("probes",
                   "\"probes\" has " + std::to_string(out_.probes.size()) +
                       " names, but \"internal\" has " + std::to_string(out_.internals.size()) +
                       " backends",
                   "name one probe for each backend, in the same order");
    }

    void read_tls() {
        const bool tls = out_.protocol.ends_with("+tls");
        if (section_.has("tls_server_name"))
            out_.tls.server_name = section_.text("tls_server_name");
        if (section_.has("tls_ca_file")) out_.tls.ca_file = section_.path("tls_ca_file").string();
        if (section_.has("tls_pin")) out_.tls.pin = section_.text("tls_pin");
        for (const char* key : {"tls_server_name", "tls_ca_file", "tls_pin"}) {
            if (tls || !section_.has(key)) continue;
            report(key,
                   in_quotes(key) + " has no effect with the protocol " + in_quotes(out_.protocol),
                   "TLS towards the backend is protocol = \"" +
                       std::string(out_.protocol == "http" ? "http+tls" : "tcp+tls") + "\"");
        }
        if (section_.has("tls_server_name") && out_.tls.server_name.empty())
            report("tls_server_name", "\"tls_server_name\" is empty",
                   "leave it out to use the host of \"internal\"");
        if (section_.has("tls_pin") && !is_pin(out_.tls.pin))
            report("tls_pin",
                   "\"tls_pin\" must be sha256: and 64 hexadecimal digits in lower case, found " +
                       in_quotes(out_.tls.pin));
        if (section_.has("tls_pin") && section_.has("tls_ca_file"))
            report("tls_ca_file", "\"tls_ca_file\" has no effect beside \"tls_pin\"",
                   "a pinned key is verified by itself; give one of the two");
    }

    void read_http() {
        const bool http = out_.protocol.starts_with("http");
        if (section_.has("rewrite_host")) out_.rewrite_host = section_.boolean("rewrite_host");
        const std::string other = " has no effect with the protocol " + in_quotes(out_.protocol);
        const std::string remedy = "it is for the protocols \"http\" and \"http+tls\"";
        if (!http && out_.rewrite_host) report("rewrite_host", "\"rewrite_host\"" + other, remedy);
        if (!http && !out_.resources.empty()) {
            const Section& first = section_.named("resource").front();
            problems_.add(origin_.problem(first.at(), first.path(),
                                          "[" + first.path() + "]" + other, remedy));
        }
        if (http && out_.resources.empty() && out_.active)
            report("protocol", "without a resource this mapping denies every request",
                   "add [" + section_.path() +
                       ".resource.NAME] with path = \"/\" and sub_paths = true, or what may be "
                       "asked for");
    }

    Resource read_resource(const Section& section) {
        Resource out;
        out.name = section.name();
        if (section.has("path")) {
            out.path = section.text("path");
            if (const std::string fault = resource_path_fault(out.path); !fault.empty())
                report(section, "path", "\"path\" " + fault);
        }
        if (section.has("sub_paths")) out.sub_paths = section.boolean("sub_paths");
        if (section.has("upgrade")) out.upgrade = section.boolean("upgrade");
        if (section.has("active")) out.active = section.boolean("active");
        if (section.has("methods")) read_methods(section, out);
        return out;
    }

    void read_methods(const Section& section, Resource& out) {
        out.methods = section.list("methods");
        if (out.methods.empty())
            report(section, "methods", "\"methods\" is an empty list, which permits nothing",
                   "active = false suspends the resource; without \"methods\" any is permitted");
        for (const std::string& method : out.methods) {
            if (!is_method(method))
                report(section, "methods", in_quotes(method) + " is not a method",
                       "methods are in capital letters, for example \"GET\"");
            else if (method == "CONNECT")
                report(section, "methods", "CONNECT is not served",
                       "for any protocol but HTTP use a mapping of protocol \"tcp\"");
        }
        if (out.upgrade && !out.methods.empty() &&
            std::count(out.methods.begin(), out.methods.end(), "GET") == 0)
            report(section, "methods", "\"upgrade\" needs the method \"GET\"",
                   "connections are upgraded by GET requests");
    }

    const Section& section_;
    const std::set<std::string>& probes_;
    const Origin& origin_;
    Problems& problems_;
    Mapping out_;
};

}  // namespace

std::string resource_path_fault(std::string_view path) {
    if (!path.starts_with('/'))
        return "must begin with \"/\", found " + in_quotes(std::string(path));
    if (path.size() > resource_path_bytes_max)
        return "is longer than " + std::to_string(resource_path_bytes_max) + " bytes";
    for (const char c : path) {
        if (c <= 0x20 || c >= 0x7f)
            return "may hold printable ASCII only; write other characters percent-encoded";
        if (c == '?' || c == '#' || c == '\\' || c == '*')
            return "may not hold " + in_quotes(std::string(1, c)) +
                   "; it is compared as it is, without the query";
    }
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t end = std::min(path.find('/', at + 1), path.size());
        const std::string_view segment = path.substr(at + 1, end - at - 1);
        if (segment == "." || segment == "..")
            return "holds the segment " + in_quotes(std::string(segment)) +
                   ", which is refused in every request";
        at = end;
    }
    return {};
}

Table mapping_table() {
    return {.name = "mapping",
            .named = true,
            .keys = {{.name = "virtual",
                      .type = Type::endpoint_range,
                      .required = true,
                      .help = "what cloud clients ask for, for example \"crm.cloud:8080\""},
                     {.name = "internal",
                      .type = Type::endpoint_ranges,
                      .required = true,
                      .help = "where the instance connects, for example \"127.0.0.1:8000\"; a "
                              "list names several backends, which are asked in turn"},
                     {.name = "protocol",
                      .type = Type::choice,
                      .def = "\"tcp\"",
                      .choices = {"tcp", "tcp+tls", "http", "http+tls"},
                      .help = "+tls: TLS towards the backend; http: only the resources listed"},
                     {.name = "active",
                      .type = Type::boolean,
                      .def = "true",
                      .help = "false suspends the mapping without deleting it"},
                     {.name = "probes",
                      .type = Type::string_list,
                      .help = "one [probe.NAME] for each backend, in the order of \"internal\"; a "
                              "backend whose probe is down is passed over"},
                     {.name = "tls_server_name",
                      .help = "name in the backend's certificate; without it, the host of "
                              "\"internal\""},
                     {.name = "tls_ca_file",
                      .type = Type::path,
                      .help = "certificates (PEM) that vouch for the backend; without it, the "
                              "system's"},
                     {.name = "tls_pin",
                      .help = "key of the backend, sha256: and 64 hexadecimal digits; instead of "
                              "CA and name"},
                     {.name = "proxy_protocol",
                      .type = Type::choice,
                      .def = "\"none\"",
                      .choices = {"none", "v2"},
                      .help = "v2: the backend is told the client's address in front of its bytes"},
                     {.name = "rewrite_host",
                      .type = Type::boolean,
                      .def = "false",
                      .help = "the backend gets its own name as Host instead of the client's"}},
            .tables = {resource_table()}};
}

Mapping read_mapping(const Section& section, const std::set<std::string>& probes,
                     const Origin& origin, Problems& problems) {
    return MappingReader(section, probes, origin, problems).read();
}

}  // namespace umbra::config
