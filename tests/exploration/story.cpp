// What people read of a state and of what happens in it.

#include "world.hpp"

namespace umbra::exploration {

namespace {

using Kind = Action::Kind;

std::string name(std::size_t i) { return names[i]; }
std::string other(std::size_t i) { return names[1 - i]; }

std::string message(const std::string& bytes) {
    static constexpr std::array<const char*, 13> kinds{
        "pong",     "hello",  "hello reply",  "fetch",     "fetch reply",     "snapshot fetch",
        "snapshot", "report", "report reply", "take-over", "take-over reply", "update",
        "beacon"};
    const auto decoded = core::wire::decode(bytes);
    return decoded ? kinds.at(decoded->index()) : "unreadable";
}

}  // namespace

std::string World::describe(const State& s, const Action& a) const {
    const auto& way = peers(s).to[a.who == 2 ? 0 : a.who];
    switch (a.kind) {
        case Kind::question: {
            const auto& q = way.questions[a.index];
            return q.ping ? "the ping of " + other(a.who) + " is answered"
                          : name(a.who) + " gets the " + message(texts_[q.text]) + " of " +
                                other(a.who);
        }
        case Kind::answer:
            return name(a.who) + " gets the " + message(texts_[way.answers[a.index].text]);
        case Kind::publication:
            return name(a.who) + " gets the published " + message(texts_[way.published.front()]);
        case Kind::closed:
            return name(a.who) + " learns that the connection of " + other(a.who) + " is closed";
        case Kind::refused:
            return name(a.who) + " is refused by the host of " + other(a.who);
        case Kind::to_gateway:
            return "the gateway gets from " + name(a.who) + ": " +
                   to_string(uplink(s, a.who).up.front());
        case Kind::to_node:
            return name(a.who) +
                   " gets from the gateway: " + to_string(uplink(s, a.who).down.front());
        case Kind::persisted:
            return "a state of " + name(a.who) + " is durable";
        case Kind::stored:
            return "a write of the log of " + name(a.who) + " is durable";
        case Kind::record_stored:
            return "the record of the gateway is durable";
        case Kind::tick:
            return name(a.who) + " notices that time passed";
        case Kind::leap:
            return "time passes everywhere";
        case Kind::boot:
            return name(a.who) + " starts";
        case Kind::boot_gateway:
            return "the gateway starts";
        case Kind::heal_uplink:
            return "the link of " + name(a.who) + " and the gateway heals";
        case Kind::heal_peers:
            return "the link of the two instances heals";
        case Kind::kill:
        case Kind::power_loss:
            return name(a.who) + (a.kind == Kind::kill ? " is killed" : " loses power") + "; of " +
                   std::to_string(party(s, a.who).persisting.size()) + " states " +
                   std::to_string(a.index) + " and of " +
                   std::to_string(party(s, a.who).storing.size()) + " writes " +
                   std::to_string(a.more) + " under way survive";
        case Kind::kill_gateway:
            return std::string("the gateway is killed") +
                   (a.index != 0 ? ", its write under way survives" : "");
        case Kind::cut_uplink:
            return "the link of " + name(a.who) + " and the gateway is cut";
        case Kind::cut_peers:
            return "the link of the two instances is cut";
        case Kind::edit:
            return "an edit on " + name(a.who);
        case Kind::switch_roles:
            return "an order to switch roles on " + name(a.who);
        case Kind::late:
            return "time passes only for " + (a.who == 2 ? "the gateway" : name(a.who));
    }
    return {};
}

std::string World::show(const State& s) const {
    std::string text;
    for (std::size_t i = 0; i < 2; ++i) {
        const auto& one = party(s, i);
        text += name(i) + ": ";
        if (one.up()) {
            text += std::string(to_string(one.node->role())) + " " + to_string(one.node->state()) +
                    ", epoch " + std::to_string(one.node->epoch()) + ", serving " +
                    std::to_string(one.node->serving()) + ", log " +
                    to_string(one.node->log().last().revision);
        } else {
            text += one.host_down ? "host down" : "down";
        }
        text += ", on disk epoch " + std::to_string(one.durable.epoch) + " and " +
                std::to_string(one.entries.size()) + " entries; ";
    }
    const auto& g = gate(s);
    return text + "gateway: " + (g.up() ? "epoch " : "down, epoch ") +
           std::to_string(g.disk.epoch) + " " + g.disk.holder.node + ", in sync " +
           std::to_string(to_view(gateway::RegisterView{}).members + (g.in_sync(0) ? 1 : 0) +
                          (g.in_sync(1) ? 2 : 0)) +
           ", routes epoch " + std::to_string(g.active.epoch);
}

std::string World::parts() const {
    return std::to_string(parties_.size()) + " instances, " + std::to_string(gates_.size()) +
           " gateways, " + std::to_string(uplinks_.size()) + " uplinks, " +
           std::to_string(peers_.size()) + " peer links, " + std::to_string(steps_.size()) +
           " steps, " + std::to_string(ledgers_.size()) + " ledgers";
}

}  // namespace umbra::exploration
