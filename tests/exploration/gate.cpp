#include "gate.hpp"

#include "normal_form.hpp"

#include <algorithm>
#include <cstring>

namespace umbra::exploration {

namespace effect = gateway::effect;
namespace fact = gateway::fact;
using namespace std::chrono_literals;

namespace {

gateway::BootId boot_id(std::uint8_t life) {
    gateway::BootId id{};
    id[0] = life;
    return id;
}

gateway::Register::Settings settings() {
    gateway::Register::Settings s;
    s.consent_ttl = 2s;  // Longer than one leap and shorter than two, as every other limit.
    return s;
}

/// What the gateway program does around the register. Lives for one step.
class Door {
public:
    Door(Gate& gate, Mutant mutant, Texts& texts, Outs& out)
        : g_(gate), mutant_(mutant), texts_(texts), out_(out) {}

    void take(const GateInput& input) {
        switch (input.kind) {
            case GateInput::Kind::boot:
                g_.reg.emplace(settings(), g_.disk, false,
                               std::set<std::string>{names[0], names[1]}, present);
                return;
            case GateInput::Kind::crash:
                if (input.flag) g_.disk = *g_.storing;
                g_.storing.reset();
                g_.reg.reset();
                g_.links = {};
                g_.active = {};
                return;
            case GateInput::Kind::pass:
                return pass(input.place);
            case GateInput::Kind::stored:
                g_.disk = *std::exchange(g_.storing, std::nullopt);
                g_.disk.serial = 0;
                return tell(fact::Stored{});
            case GateInput::Kind::letter:
                return receive(input.place, input.letter);
        }
    }

private:
    void pass(std::uint8_t heard) {
        for (std::uint8_t place = 0; place < 2; ++place) {
            auto& link = g_.links[place];
            if (!link.open) continue;
            if ((heard >> place & 1U) != 0) {
                link.silent = 0;
                tell(fact::Heard{names[place], present});
            } else if (++link.silent >= 2) {
                closed(place, true);
            }
        }
        tell(fact::Ticked{});
    }

    void closed(std::uint8_t place, bool by_us) {
        const auto link = std::exchange(g_.links[place], {});
        if (by_us) out_.push_back({.kind = Out::Kind::close, .slot = place});
        tell(fact::Disconnected{names[place], boot_id(link.life)});
    }

    void receive(std::uint8_t place, const Letter& letter) {
        using Kind = Letter::Kind;
        const std::string node = names[place];
        auto& link = g_.links[place];
        if (letter.kind == Kind::hello) {
            greeting_ = letter.ask;
            return tell(
                fact::Connected{node, incarnations[place], boot_id(letter.ask), letter.view.epoch});
        }
        if (!link.open) return;
        if (letter.kind == Kind::close) return closed(place, false);
        link.silent = 0;
        tell(fact::Heard{node, present});
        switch (letter.kind) {
            case Kind::claim: {
                auto reason = static_cast<gateway::ClaimReason>(letter.reason);
                heeded_ = reason;
                if (mutant_ == Mutant::takeover_without_gateway &&
                    reason == gateway::ClaimReason::peer_silent) {
                    reason = gateway::ClaimReason::forced;
                }
                return tell(fact::Claimed{node, letter.ask, letter.view.epoch, reason});
            }
            case Kind::consent:
                return tell(
                    fact::Consented{node, letter.ask, letter.view.epoch,
                                    letter.view.holder == 0 ? "" : names[letter.view.holder - 1U]});
            case Kind::in_sync: {
                fact::InSyncAsked ask{node, letter.ask, letter.view.epoch, letter.view.seq, {}};
                for (std::uint8_t i = 0; i < 2; ++i) {
                    if ((letter.view.members >> i & 1U) != 0) {
                        ask.members.insert({names[i], incarnations[i]});
                    }
                }
                return tell(ask);
            }
            case Kind::activate:
                return activate(place, letter);
            case Kind::drain:
                if (g_.active.place == place && g_.active.epoch == letter.view.epoch) {
                    g_.active = {};
                }
                return;
            default:
                return violate("a letter of an unknown kind");
        }
    }

    void activate(std::uint8_t place, const Letter& letter) {
        const auto life = g_.links[place].life;
        const auto epoch = letter.view.epoch;
        const bool may = g_.reg->may_activate(names[place], boot_id(life), epoch) ||
                         mutant_ == Mutant::gateway_routes_any_epoch;
        if (!may) {
            return send(place, {.kind = Letter::Kind::activation_refused,
                                .ask = letter.ask,
                                .view = to_view(g_.reg->view(present))});
        }
        g_.active = {place, life, epoch};
        // One server an epoch, never a lower one, and nobody before its grant.
        if (epoch != g_.granted || place + 1 != g_.granted_to || epoch < g_.routed) {
            violate(std::string("the gateway routes to ") + names[place] + " under epoch " +
                    std::to_string(epoch) + ", though epoch " + std::to_string(g_.granted) +
                    " was granted to " +
                    (g_.granted_to == 0 ? "nobody" : names[g_.granted_to - 1U]));
        }
        g_.routed = std::max(g_.routed, epoch);
        send(place, {.kind = Letter::Kind::activated, .ask = letter.ask});
    }

    void send(std::uint8_t place, Letter letter) {
        if (!g_.links[place].open) return;
        out_.push_back({.kind = Out::Kind::to_node, .slot = place, .letter = letter});
    }

    void violate(const std::string& text) {
        out_.push_back({.kind = Out::Kind::violation, .text = texts_(text)});
    }

    void tell(const gateway::Fact& one) {
        for (const auto& wish : g_.reg->step(present, one)) carry_out(wish);
    }

    void carry_out(const gateway::Effect& one) {
        using Kind = Letter::Kind;
        if (const auto* store = std::get_if<effect::Store>(&one)) {
            check_change(store->record);
            g_.storing = store->record;
        } else if (const auto* welcome = std::get_if<effect::Welcome>(&one)) {
            const auto place = place_of(welcome->node);
            if (g_.active.place == place && g_.active.life != greeting_) g_.active = {};
            g_.links[place] = {true, greeting_, 0};
            send(place, {.kind = Kind::welcome, .view = to_view(welcome->view)});
            if (mutant_ == Mutant::takeover_without_in_sync) tell(fact::Admitted{names[place], 0});
        } else if (const auto* refuse = std::get_if<effect::Refuse>(&one)) {
            out_.push_back({.kind = Out::Kind::close, .slot = place_of(refuse->node)});
        } else if (const auto* cut = std::get_if<effect::CutLinks>(&one)) {
            g_.links[place_of(cut->node)] = {};
        } else if (const auto* claim = std::get_if<effect::AnswerClaim>(&one)) {
            if (claim->granted) granted(claim->view);
            send(place_of(claim->node), {.kind = Kind::claim_answer,
                                         .ask = static_cast<std::uint8_t>(claim->ask),
                                         .yes = claim->granted,
                                         .view = to_view(claim->view)});
        } else if (const auto* consented = std::get_if<effect::AnswerConsent>(&one)) {
            send(place_of(consented->node), {.kind = Kind::answer,
                                             .ask = static_cast<std::uint8_t>(consented->ask),
                                             .yes = consented->ok});
        } else if (const auto* set = std::get_if<effect::AnswerInSync>(&one)) {
            send(
                place_of(set->node),
                {.kind = Kind::answer, .ask = static_cast<std::uint8_t>(set->ask), .yes = set->ok});
        } else if (const auto* push = std::get_if<effect::PushRegister>(&one)) {
            send(place_of(push->node), {.kind = Kind::push, .view = to_view(push->view)});
        } else if (const auto* lost = std::get_if<effect::PushHolderLost>(&one)) {
            send(place_of(lost->node), {.kind = Kind::holder_lost, .view = to_view(lost->view)});
        } else if (const auto* fenced = std::get_if<effect::PushFenced>(&one)) {
            send(place_of(fenced->node),
                 {.kind = Kind::fenced, .yes = fenced->drain, .view = to_view(fenced->view)});
        } else if (const auto* below = std::get_if<effect::CutBelow>(&one)) {
            if (mutant_ == Mutant::gateway_routes_any_epoch) return;
            if (g_.active.epoch < below->epoch) g_.active = {};
        }
    }

    /// The role leaves a holder only when it is silent or agreed: nobody forces anything here.
    void check_change(const gateway::Record& next) {
        if (next.epoch == g_.disk.epoch || g_.disk.holder.node.empty()) return;
        const auto& to = next.holder;
        if (to.node.empty() || to.node == g_.disk.holder.node) return;
        if (!g_.disk.in_sync.contains(to)) {
            violate(to.node + " is granted an epoch and is not in sync");
        }
        if (heeded_ == gateway::ClaimReason::peer_silent && !has_consent(*g_.reg) &&
            g_.reg->view(present).holder_alive) {
            violate("the role is taken from " + g_.disk.holder.node +
                    ", which the gateway hears and which did not agree");
        }
    }

    void granted(const gateway::RegisterView& view) {
        if (view.epoch <= g_.granted) {
            violate("epoch " + std::to_string(view.epoch) + " is granted after epoch " +
                    std::to_string(g_.granted));
        }
        g_.granted = static_cast<std::uint8_t>(view.epoch);
        g_.granted_to = holder_of(view.holder);
        out_.push_back(
            {.kind = Out::Kind::granted, .slot = static_cast<std::uint8_t>(g_.granted_to - 1U)});
    }

    Gate& g_;
    const Mutant mutant_;
    Texts& texts_;
    Outs& out_;
    std::uint8_t greeting_ = 0;
    std::optional<gateway::ClaimReason> heeded_;
};

}  // namespace

View to_view(const gateway::RegisterView& view) {
    View v;
    v.epoch = static_cast<std::uint8_t>(view.epoch);
    v.holder = holder_of(view.holder);
    v.seq = static_cast<std::uint8_t>(view.in_sync_seq);
    for (const auto& member : view.in_sync) {
        v.members = static_cast<std::uint8_t>(v.members | 1U << place_of(member.node));
    }
    v.alive = view.holder_alive;
    return v;
}

umbra::RegisterView to_host(const View& view) {
    umbra::RegisterView v;
    v.known = true;
    v.epoch = view.epoch;
    if (view.holder != 0) v.holder = names[view.holder - 1U];
    v.holder_alive = view.alive;
    v.in_sync_seq = view.seq;
    for (std::uint8_t i = 0; i < 2; ++i) {
        if ((view.members >> i & 1U) != 0) v.in_sync.push_back({names[i], incarnations[i]});
    }
    return v;
}

std::string to_string(const Letter& letter) {
    static constexpr std::array<const char*, 15> kinds{
        "hello",  "claim",        "consent", "in-sync change", "activate",
        "drain",  "close",        "welcome", "register",       "holder lost",
        "fenced", "claim answer", "answer",  "activated",      "activation refused"};
    const auto& v = letter.view;
    std::string text = kinds[static_cast<std::size_t>(letter.kind)];
    if (v.epoch != 0) text += " epoch " + std::to_string(v.epoch);
    if (v.holder != 0) text += std::string(" ") + names[v.holder - 1U];
    if (v.members != 0) text += " members " + std::to_string(v.members);
    if (letter.yes) text += " yes";
    return text;
}

Gate step(Gate gate, const GateInput& input, Mutant mutant, Texts& texts, Outs& out) {
    if (input.kind == GateInput::Kind::pass && gate.reg) normalise(*gate.reg, leap_time);
    Door(gate, mutant, texts, out).take(input);
    if (gate.reg) normalise(*gate.reg, Duration{});
    if (gate.storing) gate.storing->serial = 1;
    return gate;
}

std::uint64_t hash_of(const Gate& g) {
    std::uint64_t h = g.reg ? hash_of(*g.reg) : 3;
    for (const auto& link : g.links) {
        mix(h, std::uint64_t{link.open} | std::uint64_t{link.life} << 8 |
                   std::uint64_t{link.silent} << 16);
    }
    mix(h, std::uint64_t{g.active.place} | std::uint64_t{g.active.life} << 8 |
               std::uint64_t{g.active.epoch} << 16 | std::uint64_t{g.routed} << 24 |
               std::uint64_t{g.granted} << 32 | g.disk.epoch << 40 | g.disk.in_sync.size() << 48);
    return h;
}

}  // namespace umbra::exploration
