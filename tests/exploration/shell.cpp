#include "shell.hpp"

#include "../simulation/hash.hpp"
#include "normal_form.hpp"

#include <algorithm>

namespace umbra::exploration {

namespace fact = core::fact;
namespace effect = core::effect;
using namespace std::chrono_literals;

namespace {

constexpr core::RequestId edit_request = 100, switch_request = 200;

/// The answer to a ping, but for the place in the log.
std::string without_place(const std::string& bytes) {
    auto message = core::wire::decode(bytes);
    if (auto* pong = message ? std::get_if<core::wire::Pong>(&*message) : nullptr) pong->last = {};
    return message ? core::wire::encode(*message) : std::string{};
}

/// Why something is declined is for people.
std::string without_reason(const std::string& bytes) {
    auto message = core::wire::decode(bytes);
    if (auto* hello = message ? std::get_if<core::wire::HelloReply>(&*message) : nullptr) {
        hello->reason.clear();
    }
    if (auto* take = message ? std::get_if<core::wire::TakeOverReply>(&*message) : nullptr) {
        take->reason.clear();
    }
    return message ? core::wire::encode(*message) : bytes;
}

}  // namespace

core::Settings settings_of(std::uint8_t place) {
    core::Settings settings;
    settings.node = names[place];
    settings.incarnation = incarnations[place];
    settings.version = "1";
    settings.takeover_delay = 140ms;
    static_assert(core::Damping::factor_max * 140ms < leap_time, "the damping would be noticed");
    return settings;
}

void Shell::violate(const std::string& text) {
    out_.push_back({.kind = Out::Kind::violation, .slot = p_.place, .text = texts_(text)});
}

void Shell::take(const Input& input) {
    using Kind = Input::Kind;
    switch (input.kind) {
        case Kind::boot:
            boot(input.flag);
            break;
        case Kind::crash:
            return crash(input);
        case Kind::pass:
            p_.late = input.flag;
            return pass();
        case Kind::tick:
            tick(input);
            break;
        case Kind::persisted:
            finish_persist();
            break;
        case Kind::stored:
            finish_store();
            break;
        case Kind::letter:
            opened(input.letter);
            break;
        case Kind::hung_up:
            hang_up(false);
            changed();
            break;
        case Kind::asked:
            tell(fact::PeerAsked{1, texts_[input.text]});
            break;
        case Kind::answered:
            answered(input);
            break;
        case Kind::published:
            tell(fact::PeerPublished{texts_[input.text]});
            break;
        case Kind::refused:
            tell(fact::PeerRefused{"connection refused"});
            break;
        case Kind::link_lost:
            p_.link_up = false;
            tell(fact::LinkWasLost{"closed"});
            break;
        case Kind::edit:
            edit(input.slot);
            break;
        case Kind::switch_roles:
            tell(fact::SwitchRequested{switch_request, false});
            break;
    }
    run();
}

// --- life ----------------------------------------------------------------------------------------

void Shell::boot(bool reachable) {
    ++p_.life;
    p_.host_down = p_.due = p_.late = p_.link_up = false;
    p_.agent = {};
    p_.agent.known = p_.durable.epoch;
    p_.node.emplace(settings_of(p_.place), p_.durable, load(), present);
    tell(fact::TunnelsConfigured{{{"main", true}}});
    tell(fact::Paired{true});
    core::TakeoverPolicy policy;
    policy.on_tunnel_loss = 2s;
    policy.acknowledge_both = mutant_ != Mutant::acknowledge_alone;
    tell(fact::PolicyChanged{policy});
    run();
    dial(reachable);
}

void Shell::crash(const Input& input) {
    for (std::uint8_t i = 0; i < input.slot; ++i) p_.durable = p_.persisting[i].second;
    for (std::uint32_t i = 0; i < input.text; ++i) apply(p_.storing[i]);
    p_.persisting.clear();
    p_.storing.clear();
    p_.node.reset();
    p_.host_down = input.flag;
    p_.due = p_.late = p_.link_up = false;
    p_.pong = p_.role = p_.heard = p_.heard_role = 0;
    p_.asks = {};
    p_.agent = {};
}

/// The clock itself is moved by the normal form.
void Shell::pass() {
    p_.due = true;
    for (auto& ask : p_.asks) ask.expired = ask.ask != 0;
    for (auto& ask : p_.agent.asks) ask.expired = ask.kind != Party::GateKind::none;
}

void Shell::tick(const Input& input) {
    p_.due = p_.late = false;
    if (input.slot == 0) {
        p_.agent.silent = 0;
    } else if (p_.agent.linked && ++p_.agent.silent >= 2) {
        hang_up(true);
        changed();
    }
    for (auto& place : p_.asks) {
        if (!place.expired) continue;
        const auto ask = std::exchange(place, {});
        if (!ask.ping) {
            tell(fact::PeerDidNotAnswer{ask.ask});
            continue;
        }
        if (std::exchange(p_.link_up, false)) tell(fact::LinkWasLost{"silent"});
        tell(fact::PingFailed{ask.ask});
    }
    for (auto& place : p_.agent.asks) {
        if (place.expired) fail(std::exchange(place, {}));
    }
    if (std::exchange(p_.agent.draining, false)) {
        changed();
        tell(fact::Drained{});
    }
    tell(fact::Ticked{});
    run();
    dial(input.flag);
}

// --- disk ----------------------------------------------------------------------------------------

void Shell::finish_persist() {
    const auto done = p_.persisting.front();
    p_.persisting.pop_front();
    p_.durable = done.second;
    if (mutant_ != Mutant::epoch_not_persisted) tell(fact::Persisted{done.first});
}

void Shell::finish_store() {
    const auto done = std::move(p_.storing.front());
    p_.storing.pop_front();
    apply(done);
    if (mutant_ != Mutant::shadow_lies_about_disk) tell(fact::Stored{done.op});
}

void Shell::apply(const Write& write) {
    switch (write.kind) {
        case Write::Kind::append:
            for (const auto& logged : write.entries) {
                const auto next = p_.base.position.revision.seq + p_.entries.size() + 1;
                if (logged.position.revision.seq != next) {
                    violate("the disk is told to append " + to_string(logged.position.revision) +
                            " where number " + std::to_string(next) + " is next");
                }
                p_.entries.push_back(logged);
            }
            return;
        case Write::Kind::truncate: {
            const auto keep = static_cast<std::size_t>(write.seq - p_.base.position.revision.seq);
            for (std::size_t i = keep; i < p_.entries.size(); ++i) {
                const auto& saved = write.entries;
                if (std::find(saved.begin(), saved.end(), p_.entries[i]) == saved.end()) {
                    violate("an entry is cut that was not saved");
                }
            }
            p_.entries.resize(std::min(keep, p_.entries.size()));
            return;
        }
        case Write::Kind::install:
        case Write::Kind::compact:
            replace(write);
            return;
    }
}

/// A snapshot in the place of everything, or of what is up to its position.
void Shell::replace(const Write& write) {
    auto snapshot = core::decode_snapshot(write.position, write.snapshot);
    if (!snapshot) return violate("a snapshot cannot be read");
    auto covered = p_.entries.size();
    if (write.kind == Write::Kind::compact) {
        const auto seq = write.position.revision.seq - p_.base.position.revision.seq;
        covered = static_cast<std::size_t>(seq);
        if (covered > p_.entries.size() || p_.entries[covered - 1].position != write.position) {
            return violate("the disk is told to compact what it does not have");
        }
    }
    p_.base = std::move(*snapshot);
    p_.entries.erase(p_.entries.begin(), p_.entries.begin() + static_cast<std::ptrdiff_t>(covered));
}

core::Log Shell::load() {
    core::Log log(&simulation::quick_hash);
    if (p_.base.position.revision.seq != 0) log.install(p_.base);
    for (const auto& logged : p_.entries) {
        if (!log.push(logged.body) || log.last() != logged.position) {
            violate("the log on disk does not chain at " + to_string(logged.position.revision));
            break;
        }
    }
    return log;
}

void Shell::store(Write write) {
    if (mutant_ == Mutant::shadow_lies_about_disk) tell(fact::Stored{write.op});
    p_.storing.push_back(std::move(write));
}

// --- effects -------------------------------------------------------------------------------------

void Shell::edit(std::uint8_t number) {
    core::Entry entry;
    entry.op_id = "op" + std::to_string(number);
    entry.author = "operator";
    entry.changes = {{entry.op_id, "1"}};
    tell(fact::EditRequested{edit_request + number, entry, std::nullopt});
}

/// One at a time: what an effect brings about is a fact after the step.
void Shell::run() {
    while (!facts_.empty() && p_.node) {
        const auto one = std::move(facts_.front());
        facts_.pop_front();
        for (const auto& wish : p_.node->step(present, one)) carry_out(wish);
    }
}

void Shell::acts(core::Epoch epoch) {
    if (p_.durable.epoch >= epoch) return;
    violate(std::string(names[p_.place]) + " acts in epoch " + std::to_string(epoch) +
            ", on its disk is " + std::to_string(p_.durable.epoch));
}

void Shell::speak(Out::Kind kind, std::uint8_t slot, const std::string& bytes) {
    const auto message = core::wire::decode(bytes);
    core::Epoch epoch = 0;
    std::string text = bytes;
    if (!message) {
        violate(std::string(names[p_.place]) + " said something that cannot be read");
    } else if (const auto* update = std::get_if<core::wire::Update>(&*message)) {
        epoch = update->epoch;
    } else if (const auto* beacon = std::get_if<core::wire::Beacon>(&*message)) {
        epoch = beacon->epoch;
    } else if (const auto* report = std::get_if<core::wire::Report>(&*message)) {
        epoch = report->epoch;
        // The master only shows it to people.
        auto bare = *report;
        bare.state.clear();
        text = core::wire::encode(bare);
    }
    acts(epoch);
    out_.push_back({.kind = kind, .slot = slot, .text = texts_(text)});
}

void Shell::ask_peer(core::AskId ask, bool ping, const std::string& bytes) {
    for (std::uint8_t slot = ping ? 0 : 1; slot < Party::asks_max; ++slot) {
        if (p_.asks[slot].ask != 0) continue;
        p_.asks[slot] = {ask, ping, false};
        if (!ping) return speak(Out::Kind::ask, slot, bytes);
        out_.push_back({.kind = Out::Kind::ping, .slot = slot});
        return;
    }
    violate(std::string(names[p_.place]) + " has more questions out than it may");
}

void Shell::answered(const Input& input) {
    const auto ask = std::exchange(p_.asks[input.slot], {});
    if (!std::exchange(p_.link_up, true)) tell(fact::LinkCameUp{});
    if (input.flag) {
        p_.heard = input.text;
        p_.heard_role = texts_(without_place(texts_[input.text]));
        tell(fact::Ponged{ask.ask, texts_[input.text], 0ns, 1ms});
    } else {
        tell(fact::PeerAnswered{ask.ask, texts_[input.text]});
    }
}

void Shell::carry_out(const core::Effect& one) {
    if (const auto* write = std::get_if<effect::Persist>(&one)) {
        if (mutant_ == Mutant::epoch_not_persisted) tell(fact::Persisted{write->version});
        p_.persisting.emplace_back(write->version, write->state);
    } else if (const auto* append = std::get_if<effect::Append>(&one)) {
        store({.kind = Write::Kind::append, .op = append->op, .entries = append->entries});
    } else if (const auto* cut = std::get_if<effect::Truncate>(&one)) {
        store(
            {.kind = Write::Kind::truncate, .op = cut->op, .seq = cut->seq, .entries = cut->saved});
    } else if (const auto* install = std::get_if<effect::Install>(&one)) {
        store({.kind = Write::Kind::install,
               .op = install->op,
               .position = install->position,
               .snapshot = install->snapshot});
    } else if (const auto* compact = std::get_if<effect::Compact>(&one)) {
        store({.kind = Write::Kind::compact,
               .op = compact->op,
               .position = compact->position,
               .snapshot = compact->snapshot});
    } else if (const auto* pong = std::get_if<effect::SetPong>(&one)) {
        p_.pong = texts_(pong->bytes);
        p_.role = texts_(without_place(pong->bytes));
    } else if (const auto* ping = std::get_if<effect::Ping>(&one)) {
        ask_peer(ping->ask, true, {});
    } else if (const auto* ask = std::get_if<effect::AskPeer>(&one)) {
        ask_peer(ask->ask, false, ask->bytes);
    } else if (const auto* answer = std::get_if<effect::AnswerPeer>(&one)) {
        out_.push_back({.kind = Out::Kind::reply, .text = texts_(without_reason(answer->bytes))});
    } else if (const auto* publish = std::get_if<effect::Publish>(&one)) {
        speak(Out::Kind::publish, 0, publish->bytes);
    } else if (const auto* claim = std::get_if<effect::Claim>(&one)) {
        Letter letter{.kind = Letter::Kind::claim,
                      .reason = static_cast<std::uint8_t>(claim->reason)};
        letter.view.epoch = static_cast<std::uint8_t>(claim->epoch);
        ask_gateway(Party::GateKind::claim, claim->ask, letter);
    } else if (const auto* activation = std::get_if<effect::Activate>(&one)) {
        acts(activation->epoch);
        activate(activation->epoch);
    } else if (const auto* set = std::get_if<effect::SetInSync>(&one)) {
        if (mutant_ == Mutant::drop_without_confirmation && set->members.size() == 1) {
            tell(fact::InSyncAnswered{set->ask, true});
            return;
        }
        Letter letter{.kind = Letter::Kind::in_sync};
        letter.view.epoch = static_cast<std::uint8_t>(set->epoch);
        letter.view.seq = static_cast<std::uint8_t>(set->seq);
        for (const auto& member : set->members) {
            letter.view.members =
                static_cast<std::uint8_t>(letter.view.members | 1U << place_of(member.node));
        }
        if (!p_.agent.up) forget_unsent_in_sync(*p_.node);
        ask_gateway(Party::GateKind::in_sync, set->ask, letter);
    } else if (const auto* consent = std::get_if<effect::Consent>(&one)) {
        Letter letter{.kind = Letter::Kind::consent};
        letter.view.epoch = static_cast<std::uint8_t>(consent->epoch);
        letter.view.holder = holder_of(consent->successor);
        ask_gateway(Party::GateKind::consent, consent->ask, letter);
    } else if (const auto* drained = std::get_if<effect::Drain>(&one)) {
        drain(drained->grace);
    } else if (const auto* reply = std::get_if<effect::Reply>(&one)) {
        if (reply->verdict != core::Verdict::done || reply->request == switch_request) return;
        const auto position = p_.node->log().position_at(reply->revision.seq);
        if (!position || position->revision != reply->revision) {
            return violate("an edit is acknowledged that is not in the log");
        }
        out_.push_back(
            {.kind = Out::Kind::acknowledged, .slot = p_.place, .text = texts_(encode(*position))});
    } else if (std::holds_alternative<effect::ApplyDocument>(one)) {
        p_.agent.known = std::max(p_.agent.known, p_.node->epoch());
    }
}

}  // namespace umbra::exploration
