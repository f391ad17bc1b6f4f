#include "command_line.hpp"

#include "commands.hpp"
#include <umbra/config/problem.hpp>

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <functional>
#include <memory>

namespace umbra::cli {
namespace {

constexpr const char* packaged_instance_file = "/etc/umbra/umbra.toml";

/// Everything a command line can set. One object for all commands: only one of them runs.
struct Arguments {
    Connection connection;
    EditOptions edit;
    std::string file, key, revision, name, invitation, length;
    std::string instance_file, from, to, passphrase_file;
    std::vector<std::string> words, directories;
    unsigned max = 50;
    bool force = false, watch = false, toml = false;
};

using Command = std::function<int()>;

/// Builds the command line. What was chosen is in `chosen` after a parse.
class CommandLine {
public:
    CommandLine() {
        // Not envname(): it is applied for every command that has the option, also after the one
        // that was chosen, and all of them share one variable.
        if (const char* const address = std::getenv("UMBRA_ADMIN");
            address != nullptr && *address != '\0') {
            a_.connection.address = address;
        }
        app_.require_subcommand(1);
        app_.set_version_flag("--version", "umbra " UMBRA_VERSION);
        app_.get_formatter()->column_width(34);
        app_.failure_message(CLI::FailureMessage::simple);
        add_local();
        add_role();
        add_storage();
        add_backup();
        add_operation();
        add_peer();
        add_config();
        add_plugin();
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::ParseError& e) {
            if (e.get_exit_code() == 0) return app_.exit(e);  // --help, --version
            return fail(exit_usage, usage_error(e), {"see " + command_name() + " --help"});
        }
        return chosen_();
    }

private:
    std::string usage_error(const CLI::ParseError& e) {
        const CLI::App& app = innermost();
        const std::vector<const CLI::App*> commands =
            app.get_subcommands([](auto*) { return true; });
        const std::vector<std::string> rest = app.remaining();
        if (!commands.empty() && !rest.empty()) {
            if (rest.front().starts_with('-')) {
                return "there is no option " + config::in_quotes(rest.front()) + " here";
            }
            std::vector<std::string> names;
            for (const CLI::App* command : commands) names.push_back(command->get_name());
            return "there is no command " + config::in_quotes(rest.front()) + ": " +
                   config::suggest(rest.front(), names);
        }
        std::string text = e.what();
        text.erase(text.find_last_not_of(" \n") + 1);
        return text;
    }

    /// The command that was being read when the line ended or stopped making sense.
    const CLI::App& innermost() const {
        const CLI::App* app = &app_;
        while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
        return *app;
    }

    /// "umbra config set", as far as the command line was understood.
    std::string command_name() const {
        std::string name = "umbra";
        for (const CLI::App* app = &app_; !app->get_subcommands().empty();) {
            app = app->get_subcommands().front();
            name += " " + app->get_name();
        }
        return name;
    }

    CLI::App* group(const std::string& name, const std::string& help) {
        CLI::App* const app = app_.add_subcommand(name, help);
        app->require_subcommand(1);
        return app;
    }

    CLI::App* command(CLI::App* parent, const std::string& name, const std::string& help,
                      Command action) {
        CLI::App* const app = parent->add_subcommand(name, help);
        app->callback([this, action = std::move(action)] { chosen_ = action; });
        return app;
    }

    /// A command that talks to a running instance.
    CLI::App* client(CLI::App* parent, const std::string& name, const std::string& help,
                     Command action) {
        CLI::App* const app = command(parent, name, help, std::move(action));
        app->add_option("--admin", a_.connection.address,
                        "Admin address of the instance (or UMBRA_ADMIN)")
            ->type_name("ADDRESS")
            ->capture_default_str();
        app->add_flag("--json", a_.connection.json, "Print JSON");
        return app;
    }

    void add_edit_options(CLI::App* app) {
        app->add_option("-m,--message", a_.edit.message, "Why, for the history");
        app->add_option("--author", a_.edit.author, "Who, for the history (default: you)");
        app->add_option("--if-revision", a_.edit.if_revision,
                        "Refuse unless this is the current revision");
        app->add_option("--op-id", a_.edit.op_id,
                        "Name of this edit: a retry with the same one is not applied twice")
            ->type_name("ID");
        app->add_flag("--dry-run", a_.edit.dry_run, "Check and show, change nothing");
    }

    void add_local() {
        auto* run_app = command(&app_, "run", "Run an instance in the foreground",
                                [this] { return cli::run(a_.file); });
        run_app->add_option("FILE", a_.file, "Instance file")->required();
        auto* app = command(&app_, "check", "Find every mistake in a configuration file",
                            [this] { return check(a_.file, a_.directories); });
        app->add_option("FILE", a_.file, "Instance file or shared configuration")->required();
        add_plugin_path(app);
    }

    void add_role() {
        auto* app = command(group("role", "The role of an instance that is not running"), "set",
                            "Repair the role in which it starts",
                            [this] { return role_set(a_.name, a_.file); });
        app->add_option("ROLE", a_.name, "master or shadow")
            ->required()
            ->check(CLI::IsMember({"master", "shadow"}));
        app->add_option("--data-dir", a_.file, "Its [instance] data_dir")
            ->required()
            ->type_name("DIR");
    }

    void add_instance_file(CLI::App* app, const std::string& help) {
        app->add_option("--config", a_.instance_file, help)->type_name("FILE");
    }

    /// The instance file of a package, unless another was named.
    std::string instance_file() const {
        return a_.instance_file.empty() ? packaged_instance_file : a_.instance_file;
    }

    void add_storage() {
        auto* app =
            command(group("storage", "Where the configuration of an instance is kept"), "migrate",
                    "Copy it to another storage (of an instance that is not running)",
                    [this] { return storage_migrate(instance_file(), a_.from, a_.to, a_.words); });
        app->add_option("--from", a_.from, "Storage plugin that is in use, for example file")
            ->required()
            ->type_name("STORAGE");
        app->add_option("--to", a_.to, "Storage plugin to copy to; it has to be empty there")
            ->required()
            ->type_name("STORAGE");
        add_instance_file(app, std::string{"Instance file (default: "} + packaged_instance_file +
                                   "); its [storage] is one of the two");
        app->add_option("--set", a_.words, "Option of the one that the file does not name")
            ->type_name("KEY=VALUE")
            ->allow_extra_args(false);
    }

    void add_backup() {
        auto* app =
            command(&app_, "backup", "Save an instance that is not running in an encrypted file",
                    [this] { return backup(a_.file, instance_file(), a_.passphrase_file); });
        app->add_option("FILE", a_.file, "Where to; must not be there yet")->required();
        add_instance_file(app,
                          std::string{"Instance file (default: "} + packaged_instance_file + ")");
        add_passphrase(app);
        app = command(
            &app_, "restore", "Make an instance from its backup; it starts as shadow",
            [this] { return restore(a_.file, a_.instance_file, a_.words, a_.passphrase_file); });
        app->add_option("FILE", a_.file, "Made by umbra backup")->required();
        add_instance_file(app,
                          "Instance file; is written if it is not there (default: where it was)");
        app->add_option("--set", a_.words, "Option of its storage, for this restore")
            ->type_name("KEY=VALUE")
            ->allow_extra_args(false);
        add_passphrase(app);
    }

    void add_passphrase(CLI::App* app) {
        app->add_option(
               "--passphrase-file", a_.passphrase_file,
               "File with the passphrase in its first line (or UMBRA_PASSPHRASE, or asked)")
            ->type_name("PATH");
    }

    void add_operation() {
        const Connection& to = a_.connection;
        auto* app = client(&app_, "status", "Role, peer, tunnels, revision, alerts",
                           [&] { return show_status(to, a_.watch); });
        app->add_flag("--watch", a_.watch, "Show it every second until interrupted");
        app = client(&app_, "switch", "Switch roles with the shadow (on the master)",
                     [&] { return switch_roles(to, a_.force); });
        app->add_flag("--force", a_.force, "Become shadow without a shadow that takes over");
        app = client(&app_, "pause", "Suspend automatic takeovers",
                     [&] { return pause(to, a_.length); });
        app->add_option("--for", a_.length, "Resume by itself after this time, for example 2h")
            ->type_name("DURATION");
        client(&app_, "resume", "Allow automatic takeovers again", [&] { return resume(to); });
        client(&app_, "reload",
               "Read the instance file again: apply what can change at once, list what needs a "
               "restart",
               [&] { return reload(to); });
        client(&app_, "alerts", "What needs attention", [&] { return show_alerts(to); });
        app = client(&app_, "explain", "Why the role changed, and why it did not",
                     [&] { return explain(to, a_.max); });
        app->add_option("--max", a_.max, "At most so many")->capture_default_str();
        auto* const tunnel = group("tunnel", "Tunnels");
        app = client(tunnel, "enrol", "Exchange keys with a gateway, by its invitation",
                     [&] { return tunnel_enrol(to, a_.name, a_.invitation); });
        app->add_option("NAME", a_.name, "Tunnel")->required();
        app->add_option("INVITATION", a_.invitation,
                        "Printed by umbra-gateway invite; - reads stdin")
            ->required();
        auto* const key = tunnel->add_subcommand("key", "This instance's key at a gateway");
        key->require_subcommand(1);
        app = client(key, "rotate", "Make a new key, tell it to the gateway, and then use it",
                     [&] { return tunnel_rotate_key(to, a_.name); });
        app->add_option("NAME", a_.name, "Tunnel")->required();
        app = client(tunnel, "check",
                     "Try every mapping and channel from this instance; fails if one does",
                     [&] { return tunnel_check(to, a_.name); });
        app->add_option("NAME", a_.name, "Tunnel (default: all)");
    }

    void add_peer() {
        auto* const peers = group("peer", "The other instance of the pair");
        const std::pair<const char*, const char*> verbs[] = {
            {"enable", "Allow a shadow to connect (on the master)"},
            {"disable", "Allow none"},
            {"connect", "Connect to the master (on the shadow)"},
            {"disconnect", "Disconnect from the master"},
            {"reset", "Forget everything about the other side"},
            {"check", "Measure whether the timeouts suit the link"},
            {"invite", "Print a one-time invitation (on the master)"},
        };
        for (const auto& [verb, help] : verbs) {
            client(peers, verb, help,
                   [this, name = std::string{verb}] { return peer(a_.connection, name); });
        }
        auto* const join = client(peers, "join", "Exchange keys with the master and connect",
                                  [this] { return peer_join(a_.connection, a_.invitation); });
        join->add_option("INVITATION", a_.invitation, "Printed by umbra peer invite; - reads stdin")
            ->required();
    }

    void add_config() {
        const Connection& to = a_.connection;
        auto* const config = group("config", "The shared configuration");
        auto* app = client(config, "show", "Print it, or a part of it, as TOML",
                           [&] { return config_show(to, a_.key, a_.revision); });
        app->add_option("KEY", a_.key, "Table or value, for example tunnel.main");
        app->add_option("--revision", a_.revision, "As it was then, for example 3.41");
        app->add_flag("--toml", a_.toml, "Print TOML (the default)")->excludes("--json");
        app = client(config, "get", "Print one value", [&] { return config_get(to, a_.key); });
        app->add_option("KEY", a_.key, "For example takeover.grace_period")->required();
        app = client(config, "set", "Change values, all of them or none",
                     [&] { return config_set(to, a_.words, a_.edit); });
        app->add_option("KEY=VALUE", a_.words, "VALUE is a TOML literal, or else a string")
            ->required();
        add_edit_options(app);
        app = client(config, "unset", "Remove values or tables, all of them or none",
                     [&] { return config_unset(to, a_.words, a_.edit); });
        app->add_option("KEY", a_.words, "Value or table")->required();
        add_edit_options(app);
        app = client(config, "apply", "Make it equal to a file, as one edit; prints the diff",
                     [&] { return config_apply(to, a_.file, a_.edit); });
        app->add_option("FILE", a_.file, "TOML; - reads stdin")->required();
        add_edit_options(app);
        app =
            command(config, "repair",
                    "Change values of an instance that is not running: what keeps it from becoming "
                    "master, such as the address of the gateway",
                    [this] { return config_repair(instance_file(), a_.words, a_.edit.author); });
        app->add_option("KEY=VALUE", a_.words, "As of set")->required();
        app->add_option("--author", a_.edit.author, "Who, for the history (default: you)");
        add_instance_file(app,
                          std::string{"Instance file (default: "} + packaged_instance_file + ")");
        app =
            client(config, "diff",
                   "What turns A into B; of one revision: into the current one; of one file: what "
                   "applying it would change; alone: what the last edit changed",
                   [&] { return config_diff(to, a_.words); });
        app->add_option("SIDE", a_.words, "Revision (3.41) or TOML file")->expected(0, 2);
        app = client(config, "rollback", "Make it what it was at a revision, as a new edit",
                     [&] { return config_rollback(to, a_.revision, a_.edit); });
        app->add_option("REVISION", a_.revision, "For example 3.41")->required();
        add_edit_options(app);
        app = client(config, "history", "Who changed what and when, newest first",
                     [&] { return config_history(to, a_.max); });
        app->add_option("--max", a_.max, "At most so many")->capture_default_str();
        add_divergence(config);
    }

    void add_divergence(CLI::App* config) {
        const Connection& to = a_.connection;
        auto* const group = config->add_subcommand(
            "divergence",
            "Edits of this instance that the master did not have when they met again");
        group->require_subcommand(1);
        client(group, "list", "All that are kept here", [&] { return divergence_list(to); });
        const auto one = [&](const std::string& name, const std::string& help, Command action) {
            auto* app = client(group, name, help, std::move(action));
            app->add_option("ID", a_.name, "As list shows it (default: the only open one)");
            return app;
        };
        one("show", "Each key: where the sides parted, on the master, here; and what came of it",
            [&] { return divergence_show(to, a_.name); });
        auto* app = one("merge", "Apply the values of this side where both changed a key",
                        [&] { return divergence_merge(to, a_.name, a_.edit.author); });
        app->add_option("--author", a_.edit.author, "Who, for the history (default: you)");
        app = one("drop", "Forget it and leave the configuration as it is",
                  [&] { return divergence_drop(to, a_.name, a_.edit.author); });
        app->add_option("--author", a_.edit.author, "Who, for the log (default: you)");
    }

    void add_plugin() {
        auto* const plugins = group("plugin", "Plugins");
        auto* app = command(plugins, "list", "Plugins in the directories that are searched",
                            [this] { return plugin_list(a_.directories, a_.connection.json); });
        add_plugin_path(app);
        app->add_flag("--json", a_.connection.json, "Print JSON");
        app = command(plugins, "inspect", "What a file is, its options, why it is refused",
                      [this] { return plugin_inspect(a_.file, a_.connection.json); });
        app->add_option("FILE", a_.file, "Plugin file")->required();
        app->add_flag("--json", a_.connection.json, "Print JSON");
    }

    void add_plugin_path(CLI::App* app) {
        app->add_option("--plugins", a_.directories,
                        "Directories with plugins (default: the installed ones)")
            ->type_name("DIR")
            ->delimiter(':');
    }

    CLI::App app_{"Umbra operates an on-premises connector as a master and a shadow.", "umbra"};
    Arguments a_;
    Command chosen_;
};

}  // namespace

int run_command_line(int argc, char** argv) { return CommandLine{}.run(argc, argv); }

}  // namespace umbra::cli
