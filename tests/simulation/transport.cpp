// What the two instances say to each other, and how it gets lost.

#include "checker.hpp"
#include "instance.hpp"

namespace umbra::simulation {

namespace fact = core::fact;

namespace {

constexpr std::size_t said_max = 64;

}  // namespace

void Instance::refuse_connection() {
    const bool answers =
        !other_->up() && !other_->host_down_ && !world_.cut_between(place_, 1 - place_);
    if (!answers || world_.now() - refusal_told_ < 1s) return;
    refusal_told_ = world_.now();
    world_.count("fault: connection refused");
    world_.after(world_.random.between(100us, 5ms), [this, life = life_] {
        when_running(life, [this] {
            knows_peer_ = true;
            tell(fact::PeerRefused{"connection refused"});
        });
    });
}

void Instance::ping(core::AskId ask) {
    asked_.insert(ask);
    time_out(ask, true);
    refuse_connection();
    pinged_ = clock();
    world_.datagram(place_, 1 - place_, [this, ask, life = life_] {
        // The transport's own thread answers; it is frozen with its process.
        other_->when_running(other_->life_, [this, ask, life] {
            world_.datagram(1 - place_, place_, [this, ask, life, bytes = other_->pong_] {
                answered(life, ask, bytes, true);
            });
        });
    });
}

void Instance::ask_peer(core::AskId ask, const std::string& bytes) {
    asked_.insert(ask);
    time_out(ask, false);
    remember(true, bytes);
    world_.datagram(place_, 1 - place_,
                    [this, ask, bytes, life = life_] { other_->be_asked(life, ask, bytes); });
}

void Instance::be_asked(std::uint64_t asker_life, core::AskId ask, const std::string& bytes) {
    if (!node_) return;
    const auto id = ++next_answer_;
    to_answer_[id] = {asker_life, ask};
    const auto message = core::wire::decode(bytes);
    if (message && std::holds_alternative<core::wire::TakeOver>(*message)) invited_ = world_.now();
    tell(fact::PeerAsked{id, bytes});
}

void Instance::time_out(core::AskId ask, bool is_ping) {
    world_.after(real(node_->settings().request_timeout), [this, ask, is_ping, life = life_] {
        if (life != life_ || asked_.erase(ask) == 0) return;
        if (is_ping) {
            knows_peer_ = true;
            if (std::exchange(link_up_, false)) tell(fact::LinkWasLost{"silent"});
            tell(fact::PingFailed{ask});
        } else {
            tell(fact::PeerDidNotAnswer{ask});
        }
    });
}

void Instance::answered(std::uint64_t life, core::AskId ask, const std::string& bytes, bool pong) {
    when_running(life, [this, ask, bytes, pong] {
        if (asked_.erase(ask) == 0) return;
        if (!std::exchange(link_up_, true)) tell(fact::LinkCameUp{});
        if (pong) {
            knows_peer_ = true;
            peer_answered_ = world_.now();
            const bool measured = !world_.is(Mutant::round_trip_unmeasured);
            tell(fact::Ponged{ask, bytes, 0ns, measured ? clock() - pinged_ : Duration{1ms}});
        } else {
            tell(fact::PeerAnswered{ask, bytes});
        }
    });
}

void Instance::published(const std::string& bytes) {
    if (world_.is(Mutant::stale_beacon_cuts)) cut_to_beacon(bytes);
    tell(fact::PeerPublished{world_.is(Mutant::drift_ignored) ? with_own_digest(bytes) : bytes});
}

/// A mutant: whatever the master has, the digest is the own one.
std::string Instance::with_own_digest(const std::string& bytes) const {
    auto message = core::wire::decode(bytes);
    auto* beacon = message ? std::get_if<core::wire::Beacon>(&*message) : nullptr;
    if (beacon == nullptr || !node_) return bytes;
    beacon->digest = node_->log().digest();
    return core::wire::encode(*message);
}

// --- old messages --------------------------------------------------------------------------------

void Instance::remember(bool asked, const std::string& bytes) {
    if (!world_.has(Fault::replay)) return;
    // Now and then, so that what is remembered reaches back over changes of epoch.
    if (said_.size() == said_max) {
        said_[world_.luck(Fault::replay).below(said_max)] = {asked, bytes};
    } else {
        said_.push_back({asked, bytes});
    }
}

void Instance::replay_old_message() {
    if (said_.empty() || world_.cut(place_, 1 - place_)) return;
    const auto old = said_[world_.luck(Fault::replay).below(said_.size())];
    world_.count("fault: old message replayed");
    world_.trace(name_, "is heard to repeat something old");
    if (old.asked) {
        other_->be_asked(0, 0, old.bytes);
    } else {
        other_->published(old.bytes);
    }
}

/// A mutant: what a beacon does not know is cut, whatever its age.
void Instance::cut_to_beacon(const std::string& bytes) {
    const auto message = core::wire::decode(bytes);
    const auto* beacon = message ? std::get_if<core::wire::Beacon>(&*message) : nullptr;
    if (beacon == nullptr || !node_ || paused() || stepping_) return;
    const auto last = disk.base.position.revision.seq + disk.entries.size();
    const auto told = beacon->last.revision.seq;
    if (node_->role() != core::Role::shadow || told >= last ||
        told < disk.base.position.revision.seq)
        return;
    crash(false);
    disk.entries.resize(static_cast<std::size_t>(told - disk.base.position.revision.seq));
    boot();
}

}  // namespace umbra::simulation
