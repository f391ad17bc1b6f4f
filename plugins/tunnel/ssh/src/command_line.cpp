#include "command_line.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <string_view>

namespace umbra::ssh_tunnel {

namespace {

/// Keywords that change how the connection is made, not what it does nor whom it believes.
constexpr std::array<std::string_view, 17> keywords{"AddressFamily",
                                                    "BindAddress",
                                                    "BindInterface",
                                                    "CASignatureAlgorithms",
                                                    "CertificateFile",
                                                    "Ciphers",
                                                    "Compression",
                                                    "ConnectionAttempts",
                                                    "HostKeyAlgorithms",
                                                    "IPQoS",
                                                    "KexAlgorithms",
                                                    "LogLevel",
                                                    "MACs",
                                                    "PubkeyAcceptedAlgorithms",
                                                    "RekeyLimit",
                                                    "RequiredRSASize",
                                                    "TCPKeepAlive"};

bool equal(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
        return std::tolower(x) == std::tolower(y);
    });
}

bool is_plain(std::string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](unsigned char c) { return c < ' ' || c == 127; });
}

Error invalid(std::string text) { return {Errc::invalid, std::move(text)}; }

std::string in_quotes(const std::string& text) { return "\"" + text + "\""; }

/// ssh replaces %x, ~ and ${X} in paths, and splits them at blanks unless they are quoted.
Result<Done> check_path(const char* option, const std::string& path) {
    if (!is_plain(path) || path.find_first_of("%\"$\\") != std::string::npos ||
        path.starts_with('~'))
        return invalid(std::string{option} + " = " + in_quotes(path) +
                       " has a character that ssh reads as something else: one of % \" $ \\ ~");
    return Done{};
}

Result<Done> check_host_key(const std::string& key) {
    const auto blank = key.find(' ');
    const bool known_form =
        is_plain(key) && blank != std::string::npos && blank > 0 &&
        (key.starts_with("ssh-") || key.starts_with("ecdsa-") || key.starts_with("sk-")) &&
        key.find("AAAA", blank + 1) == blank + 1;
    if (known_form) return Done{};
    return invalid("host_keys: " + in_quotes(key) +
                   " is no host key; take the second and third word of a line of ssh-keyscan, for "
                   "example \"ssh-ed25519 AAAAC3Nz...\"");
}

Result<Done> check_extra(const std::string& entry) {
    const auto end = entry.find('=');
    const auto keyword = std::string_view{entry}.substr(0, end);
    if (end == std::string::npos || end + 1 == entry.size() || !is_plain(entry))
        return invalid("extra: " + in_quotes(entry) + " is not Keyword=value");
    const bool allowed = std::any_of(keywords.begin(), keywords.end(),
                                     [&](auto known) { return equal(known, keyword); });
    if (allowed) return Done{};
    std::string list;
    for (const auto known : keywords) list += (list.empty() ? "" : ", ") + std::string{known};
    return invalid("extra: " + in_quotes(std::string{keyword}) +
                   " may not be changed here; these may: " + list);
}

std::string seconds(Duration duration) {
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

}  // namespace

Result<Done> check(const SshOptions& options) {
    if (options.user.empty() || options.user.front() == '-' ||
        options.user.find_first_of("@ \"'`$\\;&|<>(){}%~") != std::string::npos ||
        !is_plain(options.user))
        return invalid("user = " + in_quotes(options.user) + " is no name of a user");
    if (options.address.front() == '-')
        return invalid("address = " + in_quotes(options.address) + " is no host:port");
    if (options.known_hosts.has_value() != options.host_keys.empty())
        return invalid(options.known_hosts
                           ? "known_hosts and host_keys are both given; one of them is enough"
                           : "known_hosts or host_keys is needed: without one, no server is "
                             "believed. ssh-keyscan prints the keys of a server");
    if (options.bind.empty() || !is_plain(options.bind) ||
        options.bind.find_first_of(" /") != std::string::npos)
        return invalid("bind = " + in_quotes(options.bind) +
                       " is no address; write for example \"127.0.0.1\", \"*\" or \"virtual\"");
    if (auto path = check_path("identity_file", options.identity_file); !path) return path;
    if (options.known_hosts)
        if (auto path = check_path("known_hosts", *options.known_hosts); !path) return path;
    for (const auto& key : options.host_keys)
        if (auto checked = check_host_key(key); !checked) return checked;
    for (const auto& entry : options.extra)
        if (auto checked = check_extra(entry); !checked) return checked;
    return Done{};
}

std::vector<std::string> command_line(const SshOptions& options, const std::string& control,
                                      const std::string& known_hosts) {
    std::vector<std::string> line{options.program, "-F", "none", "-N", "-T", "-M", "-S", control};
    const auto add = [&](std::string option) {
        line.emplace_back("-o");
        line.push_back(std::move(option));
    };
    // Of a keyword the first value counts, so the extra ones come last.
    add("ControlPersist=no");
    add("BatchMode=yes");
    add("StrictHostKeyChecking=yes");
    add("UserKnownHostsFile=\"" + known_hosts + "\"");
    add("GlobalKnownHostsFile=/dev/null");
    add("UpdateHostKeys=no");
    if (!options.known_hosts) add(std::string{"HostKeyAlias="} + host_key_alias);
    add("IdentitiesOnly=yes");
    add("IdentityAgent=none");
    add("PreferredAuthentications=publickey");
    add("ConnectTimeout=" + seconds(options.connect_timeout));
    add("ServerAliveInterval=" + seconds(options.alive_interval));
    add("ServerAliveCountMax=" + std::to_string(options.alive_count));
    for (const auto& entry : options.extra) add(entry);

    auto host = options.address.substr(0, options.address.rfind(':'));
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    const auto port = options.address.substr(options.address.rfind(':') + 1);
    for (const auto& word : {std::string{"-i"}, options.identity_file, std::string{"-p"}, port,
                             std::string{"-l"}, options.user, std::string{"--"}, host})
        line.push_back(word);
    return line;
}

std::string known_hosts_text(const std::vector<std::string>& host_keys) {
    std::string text;
    for (const auto& key : host_keys) text += std::string{host_key_alias} + " " + key + "\n";
    return text;
}

}  // namespace umbra::ssh_tunnel
