#include "instance.hpp"

#include "checker.hpp"
#include "gateway.hpp"
#include "hash.hpp"

namespace umbra::simulation {

namespace fact = core::fact;
namespace effect = core::effect;

namespace {

core::Settings settings_of(const std::string& node, const std::string& incarnation) {
    core::Settings settings;
    settings.node = node;
    settings.incarnation = incarnation;
    settings.version = "1";
    return settings;
}

}  // namespace

Instance::Instance(World& world, Checker& checker, Gateway& gateway, std::size_t place)
    : disk(world, {.persisted = [this](auto version) { tell(fact::Persisted{version}); },
                   .stored = [this](auto op) { tell(fact::Stored{op}); },
                   .landed = [&checker](const auto& logged) { checker.landed(logged); }}),
      world_(world),
      checker_(checker),
      gateway_(gateway),
      place_(place),
      name_(place == alpha ? "alpha" : "beta"),
      clock_offset_(place == alpha ? 3min : 7min),
      life_(place),
      link_delay_(world.random.between(200us, 10ms)) {
    wipe();
}

// --- life ----------------------------------------------------------------------------------------

void Instance::wipe() {
    core::Persistent first;
    first.role = place_ == alpha ? core::Role::master : core::Role::shadow;
    first.ha_enabled = true;
    if (!world_.is(Mutant::wiped_disk_keeps_identity)) ++wipes_;
    disk.format(first, name_ + "-disk" + std::to_string(wipes_));
}

void Instance::boot() {
    life_ += 2;
    world_.trace(name_, "boots");
    host_down_ = false;
    agent_ = {};
    agent_.known = disk.state.epoch;
    link_up_ = false;
    node_.emplace(settings_of(name_, disk.incarnation), disk.state, disk.load(),
                  world_.now() + clock_offset_);
    tell(fact::TunnelsConfigured{{{"main", true}}});
    tell(fact::Paired{true});
    if (world_.is(Mutant::acknowledge_alone)) {
        core::TakeoverPolicy careless;
        careless.acknowledge_both = false;
        tell(fact::PolicyChanged{careless});
    }
    tick();
    dial();
}

void Instance::crash(bool host_down) {
    world_.trace(name_, host_down ? "loses power" : "is killed");
    node_.reset();
    life_ += 2;
    host_down_ = host_down;
    paused_until_ = {};
    inbox_.clear();
    facts_.clear();
    asked_.clear();
    to_answer_.clear();
    disk.crash();
    drop_link();
    // A host that lives closes the connections of its dead process.
    if (host_down || world_.cut[place_][1 - place_] || !other_->up()) return;
    world_.after(world_.random.between(100us, 2ms), [this, life = other_->life_] {
        other_->when_running(life, [this] {
            other_->link_up_ = false;
            other_->tell(fact::LinkWasLost{"closed"});
        });
    });
}

void Instance::pause(Duration gap) {
    world_.trace(name_, "is frozen");
    paused_until_ = world_.now() + gap;
    world_.after(gap, [this, gap, life = life_] {
        if (life != life_) return;
        world_.trace(name_, "goes on");
        tell(fact::LoopWasLate{gap});
        for (auto& action : std::exchange(inbox_, {})) {
            if (life == life_) action();
        }
    });
}

void Instance::when_running(std::uint64_t life, Action action) {
    if (life != life_ || !node_) return;
    if (paused()) {
        inbox_.push_back(std::move(action));
    } else {
        action();
    }
}

void Instance::tick() {
    world_.after(node_->tick_interval(), [this, life = life_] {
        if (life != life_ || !node_) return;
        if (!paused()) tell(fact::Ticked{});
        if (life == life_ && node_) tick();
    });
}

void Instance::tell(core::Fact fact) {
    when_running(life_, [this, f = std::move(fact)]() mutable {
        facts_.push_back(std::move(f));
        if (!stepping_) take_facts();
    });
}

/// One at a time: what an effect brings about is a fact after the step.
void Instance::take_facts() {
    stepping_ = true;
    while (!facts_.empty()) {
        const auto fact = std::move(facts_.front());
        facts_.pop_front();
        const auto life = life_;
        const auto effects = node_->step(world_.now() + clock_offset_, fact);
        world_.mix(fact.index() * 64 + effects.size());
        for (const auto& one : effects) {
            if (life != life_) break;
            carry_out(one);
        }
    }
    stepping_ = false;
}

// --- effects -------------------------------------------------------------------------------------

void Instance::check_speech(const std::string& bytes) {
    const auto message = core::wire::decode(bytes);
    if (!message) throw Violation(name_ + " said something that cannot be read");
    core::Epoch epoch = 0;
    if (const auto* update = std::get_if<core::wire::Update>(&*message)) epoch = update->epoch;
    if (const auto* beacon = std::get_if<core::wire::Beacon>(&*message)) epoch = beacon->epoch;
    if (const auto* report = std::get_if<core::wire::Report>(&*message)) epoch = report->epoch;
    checker_.acts(*this, epoch);
}

void Instance::carry_out(const core::Effect& one) {
    if (const auto* write = std::get_if<effect::Persist>(&one)) {
        disk.persist(*write);
    } else if (std::holds_alternative<effect::Append>(one) ||
               std::holds_alternative<effect::Truncate>(one) ||
               std::holds_alternative<effect::Install>(one)) {
        disk.store(one);
    } else if (const auto* pong = std::get_if<effect::SetPong>(&one)) {
        pong_ = pong->bytes;
    } else if (const auto* e = std::get_if<effect::Ping>(&one)) {
        ++messages_;
        ping(e->ask);
    } else if (const auto* ask = std::get_if<effect::AskPeer>(&one)) {
        ++messages_;
        check_speech(ask->bytes);
        ask_peer(ask->ask, ask->bytes);
    } else if (const auto* answer = std::get_if<effect::AnswerPeer>(&one)) {
        const auto to = to_answer_.extract(answer->id);
        if (to.empty()) return;
        world_.datagram(place_, 1 - place_, [this, to = to.mapped(), bytes = answer->bytes] {
            other_->answered(to.first, to.second, bytes, false);
        });
    } else if (const auto* publish = std::get_if<effect::Publish>(&one)) {
        ++messages_;
        check_speech(publish->bytes);
        world_.datagram(place_, 1 - place_, [this, bytes = publish->bytes] {
            other_->tell(fact::PeerPublished{bytes});
        });
    } else if (const auto* claim = std::get_if<effect::Claim>(&one)) {
        ++messages_;
        world_.count("transition: claim");
        carry_out(*claim);
    } else if (const auto* activate = std::get_if<effect::Activate>(&one)) {
        ++messages_;
        checker_.acts(*this, activate->epoch);
        carry_out(*activate);
    } else if (const auto* set = std::get_if<effect::SetInSync>(&one)) {
        ++messages_;
        world_.count(set->members.size() > 1 ? "transition: shadow added"
                                             : "transition: shadow dropped");
        carry_out(*set);
    } else if (const auto* consent = std::get_if<effect::Consent>(&one)) {
        ++messages_;
        carry_out(*consent);
    } else if (const auto* drain = std::get_if<effect::Drain>(&one)) {
        world_.count("transition: step down");
        carry_out(*drain);
    } else if (const auto* reply = std::get_if<effect::Reply>(&one)) {
        world_.trace(name_, "replies to " + std::to_string(reply->request) + ": " +
                                std::to_string(static_cast<int>(reply->verdict)) + " " +
                                to_string(reply->revision) + " " + reply->text);
        on_reply(reply->request, *reply);
    } else if (const auto* alert = std::get_if<effect::RaiseAlert>(&one)) {
        world_.count("alert: " + alert->id);
    } else if (const auto* explain = std::get_if<effect::Explain>(&one)) {
        world_.trace(name_, explain->text);
    } else if (std::holds_alternative<effect::ApplyDocument>(one)) {
        // The shell configures the tunnels anew, and with them the epoch that they report.
        agent_.known = std::max(agent_.known, node_->epoch());
    } else if (std::holds_alternative<effect::Stop>(one)) {
        world_.count("transition: orderly stop");
        crash(false);
        world_.after(world_.random.between(200ms, 3s), [this, life = life_] {
            if (life == life_ && !node_) boot();
        });
    }
}

// --- transport -----------------------------------------------------------------------------------

void Instance::refuse_connection() {
    const bool answers = !other_->up() && !other_->host_down_ && !world_.cut[place_][1 - place_] &&
                         !world_.cut[1 - place_][place_];
    if (!answers || world_.now() - refusal_told_ < 1s) return;
    refusal_told_ = world_.now();
    world_.count("fault: connection refused");
    world_.after(world_.random.between(100us, 5ms), [this, life = life_] {
        when_running(life, [this] { tell(fact::PeerRefused{"connection refused"}); });
    });
}

void Instance::ping(core::AskId ask) {
    asked_.insert(ask);
    time_out(ask, true);
    refuse_connection();
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
    world_.datagram(place_, 1 - place_,
                    [this, ask, bytes, life = life_] { other_->be_asked(life, ask, bytes); });
}

void Instance::be_asked(std::uint64_t asker_life, core::AskId ask, const std::string& bytes) {
    if (!node_) return;
    const auto id = ++next_answer_;
    to_answer_[id] = {asker_life, ask};
    tell(fact::PeerAsked{id, bytes});
}

void Instance::time_out(core::AskId ask, bool is_ping) {
    world_.after(node_->settings().request_timeout, [this, ask, is_ping, life = life_] {
        if (life != life_ || asked_.erase(ask) == 0) return;
        if (is_ping) {
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
            tell(fact::Ponged{ask, bytes, 0ns, 1ms});
        } else {
            tell(fact::PeerAnswered{ask, bytes});
        }
    });
}

}  // namespace umbra::simulation
