#include "pair.hpp"

#include "log_room.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace umbra::gateway {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

std::string_view name_of(ClaimReason reason) {
    switch (reason) {
        case ClaimReason::first:
            return "first";
        case ClaimReason::peer_refused:
            return "the peer's host refuses connections";
        case ClaimReason::peer_silent:
            return "the peer is silent";
        case ClaimReason::handover:
            return "handover";
        case ClaimReason::forced:
            return "forced by an operator";
        case ClaimReason::follow:
            return "granted by the register of record";
    }
    return "?";
}

Register::Settings register_settings(const Settings& settings) {
    Register::Settings made;
    made.lease = settings.lease;
    made.shared = settings.shared.has_value();
    return made;
}

double milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

Duration ping_every(Duration lease) {
    return std::clamp<Duration>(lease / 4, Duration(10ms), Duration(5s));
}

// Well past the lease: a link that is slow to answer may still be the holder's, and whether the
// holder is silent is for the register to say.
Duration dead_after(Duration lease) { return std::max<Duration>(4 * lease, 2s); }

Pair::Pair(Context& context, std::string name, RegisterFile::Opened opened,
           std::set<std::string> members)
    : context_(context),
      name_(std::move(name)),
      file_(std::make_shared<RegisterFile>(std::move(opened.file))),
      kept_serial_(opened.record.serial),
      register_(register_settings(context.settings), std::move(opened.record),
                opened.lost && context.shared == nullptr, std::move(members), boot_now()),
      timer_(context.io) {
    if (context_.shared != nullptr) {
        const bool expected =
            opened.lost || register_.record().epoch > 0 || !register_.members().empty();
        suspended_ = "the shared register was not read yet";
        context_.shared->add(name_, *this, expected);
    }
    if (register_.rebuilding())
        base::warn(log_room,
                   "pair {}: the register on disk is missing or damaged; nothing is granted until "
                   "every enrolled node has reported the epoch it knows",
                   name_);
    else
        base::info(
            log_room, "pair {}: epoch {}, holder {}", name_, register_.record().epoch,
            register_.record().holder.node.empty() ? "nobody" : register_.record().holder.node);
    arm_timer();
}

// --- facts --------------------------------------------------------------------------------------

void Pair::tell(const Fact& fact) {
    apply(register_.step(boot_now(), fact));
    arm_timer();
    if (context_.shared == nullptr) return;
    keep_copy();
    context_.shared->poke();
}

void Pair::refresh_heard() {
    context_.notice_gap();
    const auto now = boot_now();
    const auto hear = [&](const std::string& name, const Node& node) {
        Instant heard{};
        for (const auto& session : node.sessions)
            heard = std::max(heard, session->link->last_heard());
        if (!node.sessions.empty()) apply(register_.step(now, fact::Heard{name, heard}));
    };
    // The holder first: with every fact the register looks whether the holder is gone, and what it
    // knows of the holder may be as old as the lease.
    const std::string holder = register_.record().holder.node;
    if (const auto found = nodes_.find(holder); found != nodes_.end()) hear(holder, found->second);
    for (const auto& [name, node] : nodes_)
        if (name != holder) hear(name, node);
}

void Pair::arm_timer() {
    const auto deadline = register_.next_deadline();
    if (deadline == armed_for_) return;
    armed_for_ = deadline;
    timer_.cancel();
    if (!deadline) return;
    timer_.expires_after(std::max<Duration>(*deadline - boot_now(), 0ns));
    timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;
        armed_for_.reset();
        refresh_heard();
        tell(fact::Ticked{});
    });
}

void Pair::hello(const std::shared_ptr<Session>& session, const msg::Hello& hello) {
    session->node = hello.node;
    session->boot = hello.boot;
    auto& node = nodes_[hello.node];
    if (node.boot == hello.boot && node.sessions.size() >= links_per_node_max) {
        ++context_.counters.refused_links;
        session->link->send(msg::Refused{
            RefusalCode::limit, "node " + hello.node + " has " +
                                    std::to_string(links_per_node_max) + " links already"});
        return session->link->close("too many links");
    }
    greeting_ = session;
    tell(fact::Connected{hello.node, hello.incarnation, hello.boot, hello.epoch_known});
    greeting_.reset();
}

void Pair::closed(const std::shared_ptr<Session>& session) {
    const auto found = nodes_.find(session->node);
    if (found == nodes_.end()) return;
    auto& sessions = found->second.sessions;
    if (std::erase(sessions, session) == 0 || !sessions.empty()) return;
    base::info(log_room, "pair {}: node {} has no link any more", name_, session->node);
    tell(fact::Disconnected{session->node, session->boot});
}

void Pair::control(const std::shared_ptr<Session>& session, const ControlMessage& message) {
    const auto& node = session->node;
    const auto found = nodes_.find(node);
    // What a replaced process still says counts for nothing.
    if (found == nodes_.end() || found->second.boot != session->boot) return;
    if (const auto* claim = std::get_if<msg::Claim>(&message)) {
        base::info(log_room, "pair {}: {} claims epoch {} ({})", name_, node, claim->epoch,
                   name_of(claim->reason));
        refresh_heard();
        tell(fact::Claimed{node, claim->ask, claim->epoch, claim->reason});
    } else if (const auto* ask = std::get_if<msg::Activate>(&message)) {
        activate(*session, *ask);
    } else if (const auto* consent = std::get_if<msg::Consent>(&message)) {
        tell(fact::Consented{node, consent->ask, consent->epoch, consent->successor});
    } else if (const auto* drain = std::get_if<msg::Drain>(&message)) {
        if (active_ && active_->node == node && active_->epoch == drain->epoch) {
            base::info(log_room, "pair {}: {} drains; new clients wait", name_, node);
            active_.reset();
        }
    } else if (const auto* in_sync = std::get_if<msg::InSync>(&message)) {
        tell(fact::InSyncAsked{node,
                               in_sync->ask,
                               in_sync->epoch,
                               in_sync->seq,
                               {in_sync->members.begin(), in_sync->members.end()}});
    } else if (std::holds_alternative<msg::Retire>(message)) {
        session->retiring = true;
    } else if (!std::holds_alternative<msg::Bye>(message)) {
        ++context_.counters.protocol_errors;
        session->link->close("a message that only a gateway sends");
    }
}

void Pair::activate(Session& session, const msg::Activate& ask) {
    if (!may_route() || !register_.may_activate(session.node, session.boot, ask.epoch)) {
        base::info(log_room, "pair {}: {} may not serve epoch {}", name_, session.node, ask.epoch);
        return send(session.node, msg::RefusedEpoch{ask.ask, register_.view(boot_now())});
    }
    // A node says it again on every link that comes up: it cannot know whether this is the gateway
    // that it told before.
    const bool known = active_ && active_->node == session.node && active_->boot == session.boot &&
                       active_->epoch == ask.epoch;
    active_ = Active{session.node, session.boot, ask.epoch};
    routed_ = std::max(routed_, ask.epoch);
    ++activations_;
    send(session.node, msg::Activated{ask.ask, ask.epoch});
    if (!known)
        base::info(log_room, "pair {}: {} is active, epoch {}; {} clients waited", name_,
                   session.node, ask.epoch, parked_.size());
    release_parked();
}

void Pair::each_link(const std::function<void(Session&)>& visit) {
    for (const auto& [name, node] : nodes_)
        for (const auto& session : node.sessions) visit(*session);
}

void Pair::enrolled(const std::string& node) { tell(fact::Enrolled{node}); }

void Pair::removed(const std::string& node) {
    std::vector<std::shared_ptr<Session>> going;
    if (const auto found = nodes_.find(node); found != nodes_.end()) {
        going = std::move(found->second.sessions);
        nodes_.erase(found);
    }
    if (active_ && active_->node == node) active_.reset();
    for (const auto& session : going) {
        session->link->send(
            msg::Refused{RefusalCode::not_enrolled, "an operator removed this node"});
        session->link->close("removed by an operator");
    }
    tell(fact::Removed{node});
}

void Pair::admit(const std::string& node, AdmitAnswer answer) {
    admits_[++next_admit_] = std::move(answer);
    tell(fact::Admitted{node, next_admit_});
}

void Pair::stalled(Duration gap) { tell(fact::Stalled{gap}); }

void Pair::stop() {
    timer_.cancel();
    for (const auto& client : parked_) abort_connection(client->socket);
    parked_.clear();
    for (const auto& [name, node] : nodes_) {
        for (const auto& session : node.sessions) {
            session->link->send(msg::Bye{"the gateway stops"});
            session->link->close("the gateway stops");
        }
    }
}

// --- effects ------------------------------------------------------------------------------------

void Pair::apply(const std::vector<Effect>& effects) {
    for (const auto& one : effects) std::visit([&](const auto& e) { carry_out(e); }, one);
}

void Pair::send(const std::string& node, const ControlMessage& message) {
    const auto found = nodes_.find(node);
    if (found == nodes_.end()) return;
    for (const auto& session : found->second.sessions) {
        if (!session->link->is_open()) continue;
        return session->link->send(message);
    }
}

void Pair::carry_out(const effect::Store& e) {
    if (context_.shared != nullptr)
        return context_.shared->store(name_, e, e.record.epoch > register_.record().epoch);
    context_.on_disk([file = file_, record = e.record] { return file->store(record); },
                     [this](Result<Done> stored) {
                         if (!stored) return context_.fail(stored.error());
                         tell(fact::Stored{});
                     });
}

void Pair::carry_out(const effect::Welcome& e) {
    auto& node = nodes_[e.node];
    if (active_ && active_->node == e.node && active_->boot != e.boot) active_.reset();
    node.boot = e.boot;
    node.sessions.push_back(greeting_);
    const auto lease = context_.settings.lease;
    const auto ping = ping_every(lease);
    const auto count = [](Duration duration) {
        return static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
    };
    auto& link = *greeting_->link;
    link.send(msg::Welcome{context_.settings.name, e.view, count(ping), count(lease)});
    link.admit(ping, dead_after(lease), 0ns);
    if (context_.welcomed) context_.welcomed(*greeting_);
    base::info(log_room, "pair {}: link {} of node {} from {}", name_, node.sessions.size(), e.node,
               link.peer_address());
    ++activations_;
    release_parked();
}

void Pair::carry_out(const effect::Refuse& e) {
    ++context_.counters.refused_links;
    greeting_->link->send(msg::Refused{RefusalCode::incarnation, e.text});
    greeting_->link->close(e.text);
}

void Pair::carry_out(const effect::CutLinks& e) {
    const auto found = nodes_.find(e.node);
    if (found == nodes_.end() || found->second.boot != e.boot) return;
    const auto going = std::move(found->second.sessions);
    found->second.sessions.clear();
    base::info(log_room, "pair {}: node {} was restarted", name_, e.node);
    for (const auto& session : going) {
        session->link->send(msg::Bye{"another process of this node has connected"});
        session->link->close("another process of this node has connected");
    }
}

void Pair::carry_out(const effect::AnswerClaim& e) {
    ++(e.granted ? context_.counters.claims_granted : context_.counters.claims_refused);
    if (e.granted)
        base::info(log_room, "pair {}: epoch {} granted to {}", name_, e.view.epoch, e.node);
    else
        base::info(log_room, "pair {}: claim of {} refused: {}", name_, e.node, e.text);
    send(e.node, msg::ClaimAnswer{e.ask, e.granted, e.view, e.text});
}

void Pair::carry_out(const effect::AnswerConsent& e) {
    send(e.node, msg::Answer{e.ask, e.ok, e.text});
}

void Pair::carry_out(const effect::AnswerInSync& e) {
    if (!e.ok)
        base::info(log_room, "pair {}: in-sync set of {} refused: {}", name_, e.node, e.text);
    send(e.node, msg::Answer{e.ask, e.ok, e.text});
}

void Pair::carry_out(const effect::AnswerAdmit& e) {
    const auto found = admits_.find(e.ask);
    if (found == admits_.end()) return;
    const auto answer = std::move(found->second);
    admits_.erase(found);
    answer(e.ok, e.text);
}

void Pair::carry_out(const effect::PushRegister& e) { send(e.node, msg::Register{e.view}); }

void Pair::carry_out(const effect::PushHolderLost& e) {
    base::warn(log_room, "pair {}: holder {} of epoch {} {}; told {}", name_, e.view.holder,
               e.view.epoch, e.gone ? "counts as gone" : "closed its links", e.node);
    send(e.node, msg::HolderLost{e.view});
}

void Pair::carry_out(const effect::PushFenced& e) { send(e.node, msg::Fenced{e.view, e.drain}); }

void Pair::carry_out(const effect::CutBelow& e) {
    if (active_ && active_->epoch < e.epoch) active_.reset();
    if (e.keep_draining) return;
    for (const auto& [name, node] : nodes_)
        for (const auto& session : node.sessions)
            session->link->reset_streams(
                [&](const Stream& stream) { return stream.epoch() >= e.epoch; },
                "epoch " + std::to_string(e.epoch) + " was granted");
}

void Pair::carry_out(const effect::Alert& e) { base::warn(log_room, "pair {}: {}", name_, e.text); }

// --- a register that other gateways share
// ---------------------------------------------------------

PairNote Pair::note() {
    refresh_heard();
    return register_.note(boot_now());
}

/// A store that went back to an earlier state is noticed by what is on this disk.
void Pair::keep_copy() {
    if (register_.record().serial == kept_serial_) return;
    kept_serial_ = register_.record().serial;
    context_.on_disk([file = file_, record = register_.record()] { return file->store(record); },
                     [this](const Result<Done>& stored) {
                         if (!stored) context_.fail(stored.error());
                     });
}

bool Pair::may_route() const {
    return context_.shared == nullptr || context_.shared->may_route(name_);
}

void Pair::suspend(const std::string& why) {
    suspended_ = why;
    base::error(log_room, "pair {}: nothing is routed: {}", name_, why);
    for (const auto& [name, node] : nodes_)
        for (const auto& session : node.sessions)
            session->link->reset_streams([](const Stream&) { return false; }, why);
}

void Pair::resume() {
    if (!std::exchange(suspended_, "").empty())
        base::info(log_room, "pair {}: routed again, epoch {}", name_, register_.record().epoch);
    ++activations_;
    release_parked();
}

// --- status -------------------------------------------------------------------------------------

std::size_t Pair::streams() const {
    std::size_t count = 0;
    for (const auto& [name, node] : nodes_)
        for (const auto& session : node.sessions) count += session->link->streams();
    return count;
}

json::object Pair::status(const Roster& roster) {
    // Else a holder that is there looks lost for a moment whenever what the register knows of it is
    // as old as the lease.
    refresh_heard();
    const auto now = boot_now();
    const auto view = register_.view(now);
    json::array in_sync;
    for (const auto& member : view.in_sync) in_sync.push_back(json::string(member.node));
    json::array waiting_for;
    for (const auto& node : register_.missing_reports()) waiting_for.push_back(json::string(node));
    json::array nodes;
    for (const auto& known : roster.nodes()) {
        if (known.pair != name_) continue;
        std::size_t links = 0, open = 0;
        Instant heard{};
        Duration round_trip{};
        json::array connections;
        const auto us = [](Duration time) {
            return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
        };
        if (const auto found = nodes_.find(known.node); found != nodes_.end()) {
            for (const auto& session : found->second.sessions) {
                ++links;
                open += session->link->streams();
                heard = std::max(heard, session->link->last_heard());
                round_trip = std::max(round_trip, session->link->round_trip());
                connections.push_back(
                    json::object{{"address", session->link->peer_address()},
                                 {"pin", session->link->peer_pin()},
                                 {"gateway_pin", session->link->own_pin()},
                                 {"rtt_us", us(session->link->round_trip())},
                                 {"heard_ms", milliseconds(now - session->link->last_heard())},
                                 {"streams", session->link->streams()},
                                 {"unsent_bytes", session->link->unsent()}});
            }
        }
        json::object node{{"node", known.node}, {"connected", links > 0}, {"links", links},
                          {"streams", open},    {"heard_ms", nullptr},    {"rtt_us", nullptr},
                          {"pin", known.pin},   {"enrolled", known.since}};
        node["next_pin"] = known.next_pin.empty() ? json::value(nullptr)
                                                  : json::value(json::string(known.next_pin));
        node["knows"] =
            known.knows.empty() ? json::value(nullptr) : json::value(json::string(known.knows));
        if (links > 0) node["heard_ms"] = milliseconds(now - heard);
        if (round_trip > 0ns) node["rtt_us"] = us(round_trip);
        node["connections"] = std::move(connections);
        nodes.push_back(std::move(node));
    }
    json::object status{{"pair", name_},
                        {"epoch", view.epoch},
                        {"holder", view.holder},
                        {"holder_alive", view.holder_alive},
                        {"holder_heard_ms", nullptr},
                        {"in_sync", std::move(in_sync)},
                        {"in_sync_seq", view.in_sync_seq},
                        {"rebuilding", register_.rebuilding()},
                        {"suspended", suspended_},
                        {"waiting_for", std::move(waiting_for)},
                        {"active", active_ ? active_->node : std::string()},
                        {"parked", parked_.size()},
                        {"streams", streams()},
                        {"draining", draining()},
                        {"nodes", std::move(nodes)}};
    if (view.holder_heard_ns >= 0)
        status["holder_heard_ms"] = milliseconds(Duration(view.holder_heard_ns));
    return status;
}

}  // namespace umbra::gateway
