#include "instance.hpp"

#include <umbra/base/log.hpp>
#include <umbra/config/shared_config.hpp>

#include <algorithm>
#include <utility>

namespace umbra::instance {

namespace {

using namespace std::chrono_literals;

/// A tick that comes later than this was held up by the host, not by work.
constexpr Duration late_loop = 200ms;
/// Its age tells the peer whether this loop moves; the peer tolerates several times this.
constexpr Duration pong_refresh = 250ms;

std::int64_t unix_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

Outcome outcome_of(core::Verdict verdict) {
    switch (verdict) {
        case core::Verdict::done:
            return Outcome::done;
        case core::Verdict::provisional:
            return Outcome::provisional;
        case core::Verdict::refused:
            return Outcome::refused;
        case core::Verdict::failed:
            return Outcome::failed;
    }
    return Outcome::failed;
}

}  // namespace

Instance::Instance(config::InstanceConfig config, Loop& loop, const host::Registry& registry,
                   InstanceState state)
    : config_(std::move(config)),
      loop_(loop),
      registry_(registry),
      state_(std::move(state)),
      journal_(config_.data_dir, worker_),
      divergences_(config_.data_dir / "divergence", config_.name),
      started_(loop.now()),
      applying_(loop,
                [this] {
                    apply_document();
                    for (auto& reply : std::exchange(held_, {})) answer(std::move(reply));
                    if (!stepping_) send_answers();
                }),
      publishing_(loop, [this] { publish_status(); }) {}

Instance::~Instance() = default;

/// A fact may come while the effects of another are carried out; it waits its turn, so that the
/// core sees one after the other and the shell's order is the core's.
void Instance::feed(core::Fact fact) {
    if (!node_ || ended_) return;
    facts_.push_back(std::move(fact));
    if (stepping_) return;
    stepping_ = true;
    bool changed = false;
    while (!facts_.empty()) {
        const core::Fact next = std::move(facts_.front());
        facts_.pop_front();
        for (const auto& effect : node_->step(loop_.now(), next)) {
            carry_out(effect);
            changed = changed || !std::holds_alternative<core::effect::Ping>(effect);
        }
    }
    stepping_ = false;
    if (tick_) arm_tick();
    if (!answers_.empty()) {
        send_answers();
    } else if (changed) {
        publishing_.ask();
    }
}

/// An earlier time that is set stays: what was due then may still be.
void Instance::arm_tick() {
    const Instant at = loop_.now() + node_->next_tick();
    if (tick_ && next_tick_ <= at) return;
    if (tick_) loop_.cancel(*tick_);
    next_tick_ = at;
    tick_ = loop_.schedule(at, [this] { tick(); });
}

void Instance::tick() {
    tick_.reset();
    if (ended_) return;
    const Instant now = loop_.now();
    const Duration late = now - next_tick_;
    if (late > late_loop) {
        base::warn("instance", "the loop was held up for {} ms",
                   std::chrono::duration_cast<std::chrono::milliseconds>(late).count());
        feed(core::fact::LoopWasLate{late});
    }
    feed(core::fact::Ticked{unix_ms()});
    end_pause();
    if (repair_) settle_repair();
    if (now >= next_pong_) {
        next_pong_ = now + pong_refresh;
        if (peer_link_) peer_link_->refresh_pong();
        publish_status();
    }
    arm_tick();
}

/// A pause with an end: each instance ends it by itself, so that it ends also when the one on which
/// it was ordered is gone. Wall time, because it has to mean the same on both.
void Instance::end_pause() {
    const core::Pause& pause = node_->persistent().pause;
    if (!pause.on || pause.until_ms == 0 || unix_ms() < pause.until_ms) return;
    feed(core::fact::PauseRequested{0, false});
}

// --- effects
// ----------------------------------------------------------------------------------------

void Instance::carry_out(const core::Effect& effect) {
    std::visit([this](const auto& e) { perform(e); }, effect);
}

/// Most effects belong to one part each.
template <class E>
void Instance::perform(const E& effect) {
    if constexpr (std::is_same_v<E, core::effect::SettleDivergence>) {
        store_->carry_out(effect);
        // The core holds a bounded number of them; now there is room for another.
        if (effect.resolved) load_divergences();
    } else if constexpr (requires { store_->carry_out(effect); }) {
        store_->carry_out(effect);
    } else if constexpr (requires { tunnels_->carry_out(effect); }) {
        tunnels_->carry_out(effect);
    } else if constexpr (requires { peer_link_->carry_out(effect); }) {
        if (peer_link_) peer_link_->carry_out(effect);
    } else if constexpr (std::is_same_v<E, core::effect::Persist>) {
        state_.persistent = effect.state;
        save([this, version = effect.version] { feed(core::fact::Persisted{version}); });
    } else if constexpr (std::is_same_v<E, core::effect::Reply>) {
        answer(effect);
    } else if constexpr (std::is_same_v<E, core::effect::RaiseAlert>) {
        alerts_.raise(effect.id, effect.error, effect.text);
    } else if constexpr (std::is_same_v<E, core::effect::ClearAlert>) {
        alerts_.clear(effect.id);
    } else if constexpr (std::is_same_v<E, core::effect::Explain>) {
        journal_.add(node_->epoch(), effect);
    } else if constexpr (std::is_same_v<E, core::effect::ApplyDocument>) {
        note_log();
        if (!applied_ || applied_epoch_ != node_->epoch()) {
            applying_.now();
        } else {
            applying_.ask();
        }
    } else {
        static_assert(std::is_same_v<E, core::effect::Stop>);
        loop_.post([this] { end(std::nullopt); });
    }
}

/// Stores `state_` as it is now, off the loop. A failure is final: an instance that cannot keep its
/// epoch must not act in it.
void Instance::save(std::function<void()> done) {
    state_.ha_in_file = config_.peer.enabled;
    worker_.give([this, copy = state_, done = std::move(done)]() mutable {
        auto saved = save_state(config_.data_dir, copy);
        loop_.post([this, saved = std::move(saved), done = std::move(done)] {
            if (saved.ok()) {
                disk_is_full(state_full_, {});
                done();
            } else if (saved.error().code == Errc::exhausted) {
                // Nothing of it is on disk, so the core goes on waiting, and the peer may act.
                disk_is_full(state_full_, saved.error().message);
                loop_.schedule(loop_.now() + Store::full_retry,
                               [this, done = std::move(done)] { save(done); });
            } else {
                fail(saved.error());
            }
        });
    });
}

/// @param place  Which of the places it is. @param why  Empty: there is space again.
void Instance::disk_is_full(std::string& place, const std::string& why) {
    if (place == why) return;
    place = why;
    const auto& reason = storage_full_.empty() ? state_full_ : storage_full_;
    alerts_.set(
        "disk-full", true,
        reason.empty() ? reason : reason + "; edits are refused, takeover and tunnels go on");
    publish_status();
}

/// What is acknowledged is in force here.
void Instance::answer(core::effect::Reply effect) {
    (applying_.due() ? held_ : answers_).push_back(std::move(effect));
}

/// Who reads the status after an answer sees what it is about; once for all of them.
void Instance::send_answers() {
    if (answers_.empty()) return;
    publishing_.now();
    for (auto& effect : std::exchange(answers_, {})) {
        const auto found = requests_.find(effect.request);
        if (found == requests_.end()) continue;
        const Done done = std::move(found->second);
        requests_.erase(found);
        Reply reply;
        reply.outcome = outcome_of(effect.verdict);
        reply.message = std::move(effect.text);
        if (effect.revision.seq != 0) reply.revision = core::to_string(effect.revision);
        done(std::move(reply));
    }
}

/// What the entries since the last time changed; nothing when that does not tell enough.
std::optional<config::SharedUpdate> Instance::read_changes() {
    const auto& log = node_->log();
    if (!applied_ || repair_) return std::nullopt;
    if (log.position_at(applied_->revision.seq) != *applied_) return std::nullopt;
    std::vector<std::string_view> keys;
    for (auto seq = applied_->revision.seq + 1; const auto* logged = log.at(seq); ++seq) {
        const auto more = core::keys_changed_by(logged->body);
        if (!more) return std::nullopt;
        keys.insert(keys.end(), more->begin(), more->end());
    }
    return config::update_shared(shared_, log.document(), keys, registry_);
}

/// Nothing when it cannot be used here; an alert says why.
std::optional<config::SharedUpdate> Instance::read_whole() {
    const auto document = repaired();
    auto load = config::read_shared(document ? *document : node_->log().document(), registry_);
    if (!load.config) {
        const auto lines = load.problems.lines();
        alerts_.raise(
            "configuration-invalid", true,
            "the shared configuration cannot be used here, the one before stays in force: " +
                (lines.empty() ? std::string{"unknown reason"} : lines.front()));
        return std::nullopt;
    }
    shared_ = std::move(*load.config);
    return config::SharedUpdate{true, true, true};
}

/// Makes tunnels, probes and policy equal to the document.
void Instance::apply_document() {
    const auto& log = node_->log();
    const bool same_epoch = applied_epoch_ == node_->epoch();
    if (applied_ == log.last() && same_epoch) return;
    auto update = read_changes();
    if (!update) update = read_whole();
    if (!update) return;
    alerts_.clear("configuration-invalid");
    applied_ = log.last();
    applied_epoch_ = node_->epoch();
    const auto& takeover = shared_.takeover;
    if (update->takeover)
        feed(core::fact::PolicyChanged{
            {takeover.on_tunnel_loss, takeover.grace_period,
             takeover.acknowledge == config::TakeoverConfig::Acknowledge::both,
             takeover.register_of_record}});
    if (update->tunnels || !same_epoch) tunnels_->apply(shared_.tunnels, applied_epoch_);
    if (update->probes) probes_->apply(shared_.probes);
}

// --- end
// --------------------------------------------------------------------------------------------

void Instance::fail(const Error& error) {
    base::error("instance", "{}", error.message);
    end(error);
}

void Instance::end(std::optional<Error> failed) {
    if (std::exchange(ended_, true)) return;
    send_answers();
    for (auto& [id, done] : std::exchange(requests_, {})) {
        done({Outcome::failed, "the instance is stopping", {}, {}, {}});
    }
    end_reloads();
    if (on_end_) on_end_(std::move(failed));
}

void Instance::on_end(std::function<void(std::optional<Error>)> handler) {
    on_end_ = std::move(handler);
}

void Instance::request_stop() {
    if (node_) {
        feed(core::fact::StopRequested{});
    } else {
        end(std::nullopt);
    }
}

void Instance::stop() {
    constexpr Duration limit = 5s;
    std::size_t open = 0;
    const auto one_less = [&open] { --open; };
    const auto stop_part = [&](auto& part) {
        if (!part) return;
        ++open;
        part->stop(limit, one_less);
    };
    // Tunnels first: nothing is served by an instance that no longer decides.
    stop_part(tunnels_);
    stop_part(probes_);
    loop_.run_until([&] { return open == 0; });
    stop_part(peer_link_);
    stop_part(store_);
    loop_.run_until([&] { return open == 0; });
}

}  // namespace umbra::instance
