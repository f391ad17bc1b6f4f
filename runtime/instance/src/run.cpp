#include "instance.hpp"
#include <umbra/base/descriptors.hpp>
#include <umbra/base/durable_file.hpp>
#include <umbra/base/log.hpp>
#include <umbra/base/memory.hpp>
#include <umbra/base/notify.hpp>
#include <umbra/instance/run.hpp>

#include <csignal>
#include <cstdio>
#include <optional>
#include <utility>

namespace umbra::instance {

namespace {

/// After it a pair has met, and its tunnels are up.
constexpr Duration start_length = std::chrono::seconds{3};

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_invalid = 2;

int say(int status, const std::string& sentence) {
    std::fprintf(stderr, "umbra: %s\n", sentence.c_str());
    return status;
}

/// The state of a data directory; made at the first start, when the role of the file counts.
Result<InstanceState> state_of(const config::InstanceConfig& config) {
    auto loaded = load_state(config.data_dir);
    if (!loaded.ok()) return loaded.error();
    if (*loaded) {
        if ((*loaded)->name != config.name) {
            return Error{Errc::conflict, config.data_dir.string() + " belongs to the instance " +
                                             (*loaded)->name + ", not " + config.name +
                                             "; give each instance a data directory of its own"};
        }
        return **loaded;
    }
    InstanceState fresh;
    fresh.name = config.name;
    fresh.incarnation = new_incarnation();
    fresh.persistent.role = config.role;
    fresh.persistent.ha_enabled = config.peer.enabled;
    fresh.ha_in_file = config.peer.enabled;
    const auto saved = save_state(config.data_dir, fresh);
    if (!saved.ok()) return saved.error();
    return fresh;
}

/// From a valid file on.
int run_valid(config::InstanceConfig config, const host::Registry& registry,
              const ServeAdmin& serve_admin) {
    base::log_configure(base::log_level_of(config.log_level).value_or(base::LogLevel::info),
                        base::log_format_of(config.log_format).value_or(base::LogFormat::text));
    const auto made = base::make_private_directory(config.data_dir);
    if (!made.ok()) return say(exit_failed, made.error().message);
    const auto lock = DataDirLock::take(config.data_dir);
    if (!lock.ok()) return say(exit_failed, lock.error().message);
    auto state = state_of(config);
    if (!state.ok()) return say(exit_failed, state.error().message);

    // A tunnel that runs in this process needs a connection for each of its streams.
    (void)base::raise_descriptor_limit();

    Loop loop;
    std::vector<std::string> addresses;
    for (const auto& address : config.admin_listen) addresses.push_back(to_string(address));
    Instance instance(std::move(config), loop, registry, std::move(*state));
    std::optional<Error> failure;
    instance.on_end([&](std::optional<Error> failed) {
        failure = std::move(failed);
        loop.stop();
    });
    const auto started = instance.start();
    if (!started.ok()) {
        instance.stop();
        const bool invalid = started.error().code == Errc::invalid;
        return say(invalid ? exit_invalid : exit_failed, started.error().message);
    }
    std::vector<std::shared_ptr<void>> servers;
    for (const auto& address : addresses) {
        auto served = serve_admin(instance, address);
        if (!served.ok()) {
            instance.stop();
            return say(exit_failed,
                       "[admin] listen = \"" + address + "\": " + served.error().message);
        }
        servers.push_back(std::move(*served));
    }
    loop.on_signal([&](int signal) {
        if (signal == SIGHUP) {
            // What came of it is in the log, and an alert where something is left to do.
            instance.reload([](const Reply&, const config::ReloadPlan&) {});
            return;
        }
        base::info("instance", "asked to stop by signal {}", signal);
        (void)base::notify("STOPPING=1");
        instance.request_stop();
    });
    (void)base::notify("READY=1");
    loop.schedule(loop.now() + start_length, [] { base::release_start_pages(); });
    if (!failure) loop.run();
    // Who asks from now on is told that the connection is refused, rather than nothing.
    servers.clear();
    instance.stop();
    base::info("instance", "stopped");
    return failure ? say(exit_failed, failure->message) : exit_done;
}

}  // namespace

int run_instance(const std::filesystem::path& file, const ServeAdmin& serve_admin) {
    std::optional<host::Registry> registry;
    auto load = config::load_instance_file(
        file, config::OpenCatalog{[&](const auto& directories) -> const config::PluginCatalog& {
            return registry.emplace(directories);
        }});
    if (!load.config) {
        std::fputs(load.problems.render().c_str(), stderr);
        return say(exit_invalid, file.string() + ": " + std::to_string(load.problems.count()) +
                                     (load.problems.count() == 1 ? " mistake" : " mistakes"));
    }
    return run_valid(std::move(*load.config), *registry, serve_admin);
}

}  // namespace umbra::instance
