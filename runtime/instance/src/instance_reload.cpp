// The instance file, read again while the instance runs: `umbra reload`, SIGHUP.

#include "instance.hpp"
#include <umbra/base/log.hpp>
#include <umbra/base/notify.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace umbra::instance {

namespace {

constexpr std::string_view peer_enabled = "peer.enabled";
constexpr std::string_view peer_publish = "transport.peer.publish";
constexpr std::string_view peer_respond = "transport.peer.respond";
constexpr std::string_view log_level = "log.level";
constexpr std::string_view log_format = "log.format";

std::string count(std::size_t number, const std::string& what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string line_of(const config::ReloadChange& change) {
    return change.key + ": " + change.from.value_or("none") + " -> " + change.to.value_or("none") +
           (change.reason.empty() ? "" : " (" + change.reason + ")");
}

std::string keys_of(const std::vector<config::ReloadChange>& changes) {
    std::string keys;
    for (const auto& change : changes) keys += (keys.empty() ? "" : ", ") + change.key;
    return keys;
}

std::string summary_of(const config::ReloadPlan& plan) {
    std::string text;
    const auto add = [&text](std::size_t number, const std::string& one, const std::string& many) {
        if (number == 0) return;
        text += (text.empty() ? "" : ", ") + count(number, "change") + (number == 1 ? one : many);
    };
    add(plan.live.size(), " applied", " applied");
    add(plan.restart.size(), " needs a restart", " need a restart");
    add(plan.ignored.size(), " has no effect", " have no effect");
    return text.empty() ? "nothing has changed in the file" : text;
}

bool has(const std::vector<config::ReloadChange>& changes, std::string_view key) {
    return std::any_of(changes.begin(), changes.end(),
                       [key](const auto& change) { return change.key == key; });
}

/// What was thought to be possible at once and was not.
void postpone(config::ReloadPlan& plan, std::string_view key, const std::string& reason) {
    const auto found = std::find_if(plan.live.begin(), plan.live.end(),
                                    [key](const auto& change) { return change.key == key; });
    if (found == plan.live.end()) return;
    found->reason = reason;
    plan.restart.push_back(std::move(*found));
    plan.live.erase(found);
}

bool has_options(const std::vector<config::ReloadChange>& changes, std::string_view lead) {
    return std::any_of(changes.begin(), changes.end(),
                       [lead](const auto& change) { return change.key.starts_with(lead); });
}

/// After a plugin was handed its live options: they are in force, or wait for a restart.
void options_changed(config::ReloadPlan& plan, config::InstanceConfig& running,
                     const config::InstanceConfig& file, std::string_view lead,
                     const Result<umbra::Done>& result) {
    if (result.ok()) {
        config::adopt(running, file, lead);
        return;
    }
    const auto live = plan.live;  // Postponing takes them out of it.
    for (const auto& change : live) {
        if (change.key.starts_with(lead)) postpone(plan, change.key, result.error().message);
    }
}

/// The service manager waits from the one to the other. The time is what it asks for.
void tell_reloading() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
    (void)base::notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us));
}
void tell_ready() { (void)base::notify("READY=1"); }

}  // namespace

struct Instance::Reload {
    std::function<void(Reply, config::ReloadPlan)> done;  ///< Empty: answered.
    std::optional<config::InstanceConfig> file;
    config::ReloadPlan plan;
};

void Instance::reload(std::function<void(Reply, config::ReloadPlan)> done) {
    loop_.post([this, done = std::move(done)]() mutable {
        if (ended_) {
            done({Outcome::failed, "the instance is stopping", {}, {}, {}}, {});
            return;
        }
        // One after the other: each compares with what the one before left behind.
        reloads_.push_back(std::make_shared<Reload>(Reload{std::move(done), {}, {}}));
        if (reloads_.size() == 1) read_file(reloads_.front());
    });
}

/// Off the loop, and not on the thread that stores the epoch: neither may wait for a slow disk on
/// which the file, or a plugin that it names, is.
void Instance::read_file(const std::shared_ptr<Reload>& reload) {
    tell_reloading();
    if (!reader_) reader_ = std::make_unique<Worker>();
    reader_->give([this, reload, file = config_.file] {
        // Looks at the directories anew: the file may name a plugin that was installed just now.
        std::optional<host::Registry> registry;
        auto load = config::load_instance_file(
            file, config::OpenCatalog{[&](const auto& directories) -> const config::PluginCatalog& {
                return registry.emplace(directories);
            }});
        loop_.post([this, reload, load = std::move(load)]() mutable {
            take_file(reload, std::move(load));
        });
    });
}

void Instance::take_file(const std::shared_ptr<Reload>& reload, config::InstanceLoad load) {
    if (ended_) return;
    if (!load.config) {
        const std::string text = config_.file.string() + " has " +
                                 count(load.problems.count(), "mistake") +
                                 "; the instance runs on unchanged";
        auto lines = load.problems.lines();
        alerts_.set("reload-failed", true,
                    text + (lines.empty() ? "" : "; the first: " + lines.front()));
        for (const auto& line : lines) base::error("instance", "reload: {}", line);
        finish(reload, {Outcome::invalid, text, std::move(lines), {}, {}});
        return;
    }
    alerts_.clear("reload-failed");
    reload->file = std::move(load.config);
    reload->plan = config::plan_reload(config_, *reload->file);
    change_log(reload);
    redirect_peer(reload);
}

void Instance::change_log(const std::shared_ptr<Reload>& reload) {
    if (!has(reload->plan.live, log_level) && !has(reload->plan.live, log_format)) return;
    config::adopt(config_, *reload->file, log_level);
    config::adopt(config_, *reload->file, log_format);
    base::log_configure(base::log_level_of(config_.log_level).value_or(base::LogLevel::info),
                        base::log_format_of(config_.log_format).value_or(base::LogFormat::text));
}

void Instance::redirect_peer(const std::shared_ptr<Reload>& reload) {
    const auto& live = reload->plan.live;
    if (!has(live, peer_publish) && !has(live, peer_respond)) {
        change_storage(reload);
        return;
    }
    const auto& transport = reload->file->transport;
    peer_link_->redirect(transport.peer_publish, transport.peer_respond,
                         [this, reload](const Result<umbra::Done>& result) {
                             for (const auto key : {peer_publish, peer_respond}) {
                                 if (result.ok()) {
                                     config::adopt(config_, *reload->file, key);
                                 } else {
                                     postpone(reload->plan, key, result.error().message);
                                 }
                             }
                             change_storage(reload);
                         });
}

void Instance::change_storage(const std::shared_ptr<Reload>& reload) {
    const auto next = [this, reload] { change_transport(reload); };
    if (!has_options(reload->plan.live, config::storage_options)) return next();
    const auto values = config_.storage.options.with_live(reload->file->storage.options);
    store_->change_options(values, [this, reload, next](const Result<umbra::Done>& result) {
        options_changed(reload->plan, config_, *reload->file, config::storage_options, result);
        next();
    });
}

void Instance::change_transport(const std::shared_ptr<Reload>& reload) {
    const auto next = [this, reload] { enable_peer(reload); };
    if (!has_options(reload->plan.live, config::transport_options)) return next();
    const auto values = config_.transport.options.with_live(reload->file->transport.options);
    peer_link_->change_options(values, [this, reload, next](const Result<umbra::Done>& result) {
        options_changed(reload->plan, config_, *reload->file, config::transport_options, result);
        next();
    });
}

void Instance::enable_peer(const std::shared_ptr<Reload>& reload) {
    if (ended_) return;
    if (!has(reload->plan.live, peer_enabled)) {
        finish(reload, {});
        return;
    }
    // First: what is stored with the answer of the core says what the file said.
    config::adopt(config_, *reload->file, peer_enabled);
    feed(core::fact::EnableRequested{expect([this, reload](Reply reply) {
                                         if (reply.outcome == Outcome::done) reply = {};
                                         finish(reload, std::move(reply));
                                     }),
                                     config_.peer.enabled});
}

/// @param reply  As it is where something failed; else it is filled in here.
void Instance::finish(const std::shared_ptr<Reload>& reload, Reply reply) {
    const auto& plan = reload->plan;
    if (reply.outcome == Outcome::done) {
        reply.message = summary_of(plan);
        for (const auto& change : plan.live) {
            reply.details.push_back("applied: " + line_of(change));
        }
        for (const auto& change : plan.restart) {
            reply.details.push_back("needs a restart: " + line_of(change));
        }
        for (const auto& change : plan.ignored) {
            reply.details.push_back("no effect: " + line_of(change));
        }
        alerts_.set("restart-needed", false,
                    plan.restart.empty() ? ""
                                         : "a restart is needed before " + config_.file.string() +
                                               " is in force: " + keys_of(plan.restart));
        base::info("instance", "reload of {}: {}", config_.file.string(), reply.message);
        for (const auto& line : reply.details) base::info("instance", "reload: {}", line);
    } else {
        base::error("instance", "reload of {}: {}", config_.file.string(), reply.message);
    }
    publish_status();
    if (auto done = std::exchange(reload->done, nullptr)) done(std::move(reply), plan);
    if (ended_) return;
    tell_ready();
    if (!reloads_.empty() && reloads_.front() == reload) reloads_.pop_front();
    if (!reloads_.empty()) read_file(reloads_.front());
}

void Instance::end_reloads() {
    for (const auto& reload : std::exchange(reloads_, {})) {
        if (auto done = std::exchange(reload->done, nullptr)) {
            done({Outcome::failed, "the instance is stopping", {}, {}, {}}, {});
        }
    }
}

}  // namespace umbra::instance
