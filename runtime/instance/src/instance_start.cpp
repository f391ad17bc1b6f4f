// How an instance begins.

#include "editor.hpp"
#include "initial_import.hpp"
#include "instance.hpp"
#include "migration_mark.hpp"
#include "sha256.hpp"
#include <umbra/base/log.hpp>

#include <filesystem>
#include <system_error>
#include <utility>

namespace umbra::instance {

namespace {

base::LogLevel level_of(umbra_log_level level) {
    switch (level) {
        case UMBRA_LOG_TRACE:
            return base::LogLevel::trace;
        case UMBRA_LOG_DEBUG:
            return base::LogLevel::debug;
        case UMBRA_LOG_INFO:
            return base::LogLevel::info;
        case UMBRA_LOG_WARN:
            return base::LogLevel::warn;
        case UMBRA_LOG_ERROR:
            return base::LogLevel::error;
    }
    return base::LogLevel::error;
}

}  // namespace

host::Surroundings Instance::surroundings() {
    return {loop_.executor(),
            &loop_,
            {[](umbra_log_level level) { return base::log_enabled(level_of(level)); },
             [](umbra_log_level level, std::string_view room, std::string_view text) {
                 base::log_write(level_of(level), room, text);
             }}};
}

Result<Done> Instance::start() {
    auto log = open_store();
    if (!log.ok()) return log.error();
    if (auto judged = judge_log(*log); !judged.ok()) return judged;
    if (auto imported = import_initial(*log); !imported.ok()) return imported;

    load_repair();

    const auto alert = [this](const std::string& id, bool error, const std::string& text) {
        alerts_.set(id, error, text);
    };
    tunnels_ = std::make_unique<Tunnels>(
        Tunnels::Place{&registry_, surroundings(), config_.name, state_.incarnation,
                       config_.data_dir / "tunnel"},
        [this](core::Fact fact) { feed(std::move(fact)); }, alert);
    probes_ = std::make_unique<Probes>(
        registry_, surroundings(), config_.name, config_.data_dir / "probe", alert,
        [this](std::set<std::string> names) { tunnels_->set_down(std::move(names)); });
    make_node(std::move(*log));
    if (auto opened = open_transport(); !opened.ok()) return opened;

    // The core hears of tunnels and peer before its first tick, so that it waits for them.
    stepping_ = true;
    apply_document();
    if (!applied_) tunnels_->apply({}, node_->epoch());
    feed(core::fact::Paired{peer_link_ && peer_link_->peer()});
    load_divergences();
    stepping_ = false;
    next_tick_ = loop_.now();
    publish_status();
    tick();
    base::info("instance", "{} {} started as {}, epoch {}, revision {}", config_.name,
               UMBRA_VERSION, core::to_string(node_->role()), node_->epoch(),
               core::to_string(node_->log().last().revision));
    return umbra::Done{};
}

/// Edits that nobody can merge may not be forgotten with them. @return Ids
std::vector<std::string> Instance::warn_of_damaged_divergences() {
    auto damaged = divergences_.damaged();
    alerts_.set("divergence-damaged", true,
                damaged.empty() ? std::string{}
                                : divergences_.read(damaged.front()).error().message +
                                      (damaged.size() == 1 ? "" : "; so are others beside it"));
    return damaged;
}

/// What the core knows already it does not take twice.
void Instance::load_divergences() {
    (void)warn_of_damaged_divergences();
    for (auto& saved : divergences_.list()) {
        if (!saved.open()) continue;
        feed(core::fact::DivergenceLoaded{std::move(saved.edits), std::move(saved.fates),
                                          saved.merged_as});
    }
}

Result<core::Log> Instance::open_store() {
    auto whole = check_migrated(config_.data_dir, config_.storage);
    if (!whole.ok()) return whole.error();
    const auto plugin = registry_.load(UMBRA_KIND_STORAGE, config_.storage.plugin);
    if (!plugin.ok()) return plugin.error();
    auto handle = host::StorageHandle::make(
        *registry_.find(UMBRA_KIND_STORAGE, config_.storage.plugin),
        {config_.name, config_.storage.plugin, config_.data_dir / "storage",
         config_.storage.options.data(), config_.storage.options.size()},
        surroundings());
    if (!handle.ok()) return handle.error();
    store_ = std::make_unique<Store>(std::move(handle).value(), divergences_);
    store_->listen([this](std::uint64_t op) { feed(core::fact::Stored{op}); },
                   [this](const Error& error) { fail(error); },
                   [this](const std::string& why) { disk_is_full(storage_full_, why); });
    return store_->load(loop_, &sha256);
}

/// An empty log that held a configuration was lost, or is another storage than before. Its owner
/// must not become master with nothing: the peer would follow, and drop what it has.
Result<Done> Instance::judge_log(const core::Log& log) {
    const bool empty = log.last().revision.seq == 0;
    if (empty && state_.persistent.role == core::Role::master && state_.persistent.epoch != 0 &&
        !state_.stored && config_.shared_initial) {
        base::warn("instance",
                   "[shared] initial is imported before an instance is master for the first "
                   "time; umbra config apply {} does it now",
                   config_.shared_initial->string());
    }
    if (empty != state_.stored) return umbra::Done{};
    if (empty) {
        make_newcomer(state_);
        alerts_.raise(
            "storage-lost", true,
            "storage " + config_.storage.plugin +
                " is empty, but this instance had a configuration; it is a shadow until a "
                "master has sent it everything. If [storage] was changed: change it back "
                "and use `umbra storage migrate`. If no other instance is left: `umbra "
                "restore`, or `umbra role set master` to begin anew");
        log_lost_ = true;
    }
    state_.stored = true;
    return save_state(config_.data_dir, state_);
}

/// The log holds something (again), or an operator made a master of this instance without it.
void Instance::note_log() {
    const bool held = node_->log().last().revision.seq != 0;
    if (held == state_.stored && !log_lost_) return;
    if (!held && node_->role() != core::Role::master) return;
    if (std::exchange(log_lost_, false)) alerts_.clear("storage-lost");
    if (std::exchange(state_.stored, held) != held) save([] {});
}

/// [shared] initial: imported by a master whose store is empty, and again as long as it never was
/// master of an epoch. No edit was taken until then, and without a gateway none would be: a wrong
/// address of it in the file could be corrected nowhere else.
Result<Done> Instance::import_initial(core::Log& log) {
    const bool wanted = config_.shared_initial && state_.persistent.role == core::Role::master &&
                        state_.persistent.epoch == 0 && log.last().revision.epoch == 0;
    if (!wanted) return umbra::Done{};
    const auto file = config_.shared_initial->string();
    std::error_code error;
    if (log.last().revision.seq != 0 && !std::filesystem::exists(file, error)) return umbra::Done{};
    const auto load = config::load_shared_file(file, registry_);
    if (!load.document) return Error{Errc::invalid, load.problems.render()};
    auto entries = import_entries(core::difference(log.document(), *load.document), file);
    if (!entries.ok()) return entries.error();
    if (entries->empty()) return umbra::Done{};
    for (auto& entry : *entries) {
        const auto stored = store_->append_now(loop_, log.append(0, std::move(entry)));
        if (!stored.ok()) return stored;
    }
    base::info("instance", "imported {} as revision {}", file,
               core::to_string(log.last().revision));
    return umbra::Done{};
}

void Instance::make_node(core::Log log) {
    core::Settings settings;
    settings.node = config_.name;
    settings.incarnation = state_.incarnation;
    settings.version = UMBRA_VERSION;
    settings.permitted = config_.peer.permitted.value_or("");
    settings.check_interval = config_.peer.check_interval;
    settings.connect_timeout = config_.peer.connect_timeout;
    settings.request_timeout = config_.peer.request_timeout;
    settings.takeover_delay = config_.peer.takeover_delay_for(true);
    settings.takeover_delay_unfenced = config_.peer.takeover_delay_for(false);
    for (const auto& file : registry_.files()) {
        if (!file.usable() || !file.identity) continue;
        settings.plugins.push_back(
            std::string{config::kind_name(static_cast<umbra_kind>(file.identity->kind))} + "/" +
            file.identity->name + " " + file.identity->version);
    }
    if (state_.ha_in_file != config_.peer.enabled) {
        state_.persistent.ha_enabled = config_.peer.enabled;
    }
    node_.emplace(std::move(settings), state_.persistent, std::move(log), loop_.now());
    node_->judge_with([this](const core::Document& document) -> std::optional<std::string> {
        const auto load = config::read_shared(document, registry_);
        if (load.config) return std::nullopt;
        const auto lines = load.problems.lines();
        return lines.empty() ? "unknown reason" : lines.front();
    });
}

Result<Done> Instance::open_transport() {
    if (config_.transport.plugin.empty()) return umbra::Done{};
    const auto plugin = registry_.load(UMBRA_KIND_TRANSPORT, config_.transport.plugin);
    if (!plugin.ok()) return plugin.error();
    auto handle = host::TransportHandle::make(
        *registry_.find(UMBRA_KIND_TRANSPORT, config_.transport.plugin),
        {config_.name, config_.transport.plugin, config_.data_dir / "transport",
         config_.transport.options.data(), config_.transport.options.size()},
        surroundings());
    if (!handle.ok()) return handle.error();
    peer_link_ = std::make_unique<PeerLink>(
        PeerLink::Place{surroundings(), config_.name, UMBRA_VERSION, config_.transport,
                        config_.peer.permitted.value_or(""), config_.peer.request_timeout},
        std::move(handle).value(), state_.peer, [this](core::Fact fact) { feed(std::move(fact)); },
        [this](std::optional<PinnedPeer> peer, std::function<void()> done) {
            state_.peer = std::move(peer);
            save(std::move(done));
        });
    std::optional<Result<umbra::Done>> opened;
    peer_link_->open([&](Result<umbra::Done> result) { opened.emplace(std::move(result)); });
    loop_.run_until([&] { return opened.has_value(); });
    return *opened;
}

}  // namespace umbra::instance
