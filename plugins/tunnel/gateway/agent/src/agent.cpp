#include "agent.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace umbra::gateway {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

BootId random_boot() {
    BootId boot{};
    if (RAND_bytes(boot.data(), static_cast<int>(boot.size())) != 1)
        throw Failure(Errc::unavailable, "no random numbers for this process's identity");
    return boot;
}

std::vector<Member> to_wire(std::vector<umbra::Member> members) {
    std::vector<Member> wire;
    for (auto& member : members)
        wire.push_back({std::move(member.node), std::move(member.incarnation)});
    std::sort(wire.begin(), wire.end());
    return wire;
}

/// The age of the last sign of life is no news.
bool same_facts(RegisterView a, const RegisterView& b) {
    a.holder_heard_ns = b.holder_heard_ns;
    return a == b;
}

}  // namespace

Agent::Agent(asio::io_context& io, Context context, AgentOptions options, Route route)
    : io_(io),
      context_(context),
      options_(std::move(options)),
      route_(std::move(route)),
      boot_(random_boot()),
      loops_(static_cast<std::size_t>(options_.threads), static_cast<std::size_t>(options_.links),
             [context](const std::string& what) {
                 context.error("internal error in a link of the tunnel: " + what);
             }),
      serving_(io, options_,
               {.on_denied = [this](std::string text) { on_denied(std::move(text)); },
                .on_failed = [this](const std::string& text) { context_.warn(text); },
                .on_count =
                    [this] {
                        finish_drain_if_over();
                        changed();
                    }}),
      channels_(io, options_.connect_timeout,
                {.open = [this](OpenRequest request) { return call_out(std::move(request)); },
                 .on_change =
                     [this] {
                         finish_drain_if_over();
                         changed();
                     },
                 .on_refused = [this](const std::string& text) { on_call_refused(text); }}),
      keys_(context, options_.pin,
            {.on_gateway = [this](const KeyPins& pins) { renewal_.believe(pins); },
             .on_identity = [this](const TlsIdentity& identity) { renewal_.show(identity); }}),
      renewal_(io, uplinks_, [this](std::size_t place) { return make_fresh_uplink(place); }),
      drain_timer_(io),
      report_timer_(io) {}

// --- what the host asks for ----------------------------------------------------------------------

void Agent::open(TunnelSpec spec, Reply<Done> reply) {
    if (stopping_) return reply.fail(Errc::closed, "the tunnel is stopping");
    if (spec_) return reply.fail(Errc::conflict, "the tunnel is open already");
    if (spec.node.empty() || spec.node.size() > name_bytes_max ||
        spec.incarnation.size() > name_bytes_max)
        return reply.fail(Errc::invalid, "a node needs a name of 1 to 255 bytes");
    epoch_known_ = spec.epoch;
    serving_.set_mappings(MappingTable(spec.mappings));
    spec_ = std::move(spec);
    auto made = make_uplinks();
    if (!made) {
        spec_.reset();
        return reply.fail(made.error());
    }
    channels_.set(spec_->channels);
    start_uplinks();
    reply.ok();
    changed();
}

void Agent::configure(TunnelSpec spec, Reply<Done> reply) {
    if (!spec_) return reply.fail(Errc::conflict, "the tunnel is not open");
    if (spec.node != spec_->node || spec.incarnation != spec_->incarnation)
        return reply.fail(Errc::invalid, "name and incarnation of a node stay while it runs");
    epoch_known_ = std::max(epoch_known_, spec.epoch);
    serving_.set_mappings(MappingTable(spec.mappings));
    spec_ = std::move(spec);
    channels_.set(spec_->channels);
    reply.ok();
}

template <class Message, class T>
void Agent::ask(Message message, Reply<T> reply, std::uint64_t activates, Uplink* uplink) {
    if (uplink == nullptr) uplink = any_uplink();
    if (uplink == nullptr)
        return reply.fail(Errc::unavailable, "no link to the gateway: " + detail());
    message.ask = next_ask_++;
    asks_.emplace(message.ask, Ask{uplink, std::move(reply), activates});
    uplink->send(message);
}

void Agent::claim(std::uint64_t epoch, umbra::ClaimReason reason, Reply<ClaimResult> reply) {
    ask(msg::Claim{.ask = 0, .epoch = epoch, .reason = static_cast<ClaimReason>(reason)},
        std::move(reply));
}

void Agent::activate(std::uint64_t epoch, Reply<Done> reply) {
    if (epoch == 0) return reply.fail(Errc::invalid, "epoch 0 is never granted");
    if (epoch < epoch_active_ || (view_known_ && epoch < view_.epoch))
        return reply.fail(Errc::conflict, "epoch " + std::to_string(epoch) + " is over, " +
                                              std::to_string(std::max(epoch_active_, view_.epoch)) +
                                              " was granted");
    if (any_uplink() == nullptr)
        return reply.fail(Errc::unavailable, "no link to the gateway: " + detail());
    if (std::exchange(draining_, false)) {
        drain_timer_.cancel();
        for (auto& waiting : std::exchange(drain_replies_, {}))
            waiting.fail(Errc::conflict, "activated again before the drain was over");
    }
    epoch_known_ = std::max(epoch_known_, epoch);
    epoch_active_ = epoch;
    confirmed_ = false;
    serving_.open_gate(epoch);
    channels_.open_gate(epoch);
    ask(msg::Activate{.ask = 0, .epoch = epoch}, std::move(reply), epoch);
    changed();
}

void Agent::consent(std::uint64_t epoch, std::string successor, Reply<Done> reply) {
    if (successor.size() > name_bytes_max)
        return reply.fail(Errc::invalid, "the successor's name is too long");
    ask(msg::Consent{.ask = 0, .epoch = epoch, .successor = std::move(successor)},
        std::move(reply));
}

void Agent::set_in_sync(std::uint64_t epoch, std::uint64_t seq, std::vector<umbra::Member> members,
                        Reply<Done> reply) {
    const bool fits =
        members.size() <= members_max &&
        std::all_of(members.begin(), members.end(), [](const umbra::Member& m) {
            return m.node.size() <= name_bytes_max && m.incarnation.size() <= name_bytes_max;
        });
    if (!fits) return reply.fail(Errc::invalid, "the in-sync set is too large");
    ask(msg::InSync{.ask = 0, .epoch = epoch, .seq = seq, .members = to_wire(std::move(members))},
        std::move(reply));
}

void Agent::drain(Duration grace, Reply<Done> reply) {
    if (epoch_active_ != 0) {
        if (Uplink* uplink = any_uplink(); uplink != nullptr && view_.epoch <= epoch_active_)
            uplink->send(msg::Drain{.epoch = epoch_active_});
        stop_serving(StatusCode::draining, "this node hands over and takes no new streams");
    }
    drain_replies_.push_back(std::move(reply));
    draining_ = true;
    if (grace <= Duration::zero()) {
        cut_all("the tunnel is drained");
    } else {
        drain_timer_.expires_after(grace);
        drain_timer_.async_wait([this](boost::system::error_code error) {
            if (!error) cut_all("the grace period of the handover is over");
        });
    }
    finish_drain_if_over();
    changed();
}

void Agent::finish_drain_if_over() {
    if (!draining_ || streams() > 0) return;
    draining_ = false;
    drain_timer_.cancel();
    for (auto& reply : std::exchange(drain_replies_, {})) reply.ok();
}

void Agent::cut_all(const std::string& why) {
    serving_.cut_all(why);
    channels_.cut_all(why);
}

void Agent::enrol(const std::string& invitation, Reply<Done> reply) {
    if (stopping_) return reply.fail(Errc::closed, "the tunnel is stopping");
    if (enrolment_) return reply.fail(Errc::conflict, "an enrolment is under way");
    auto parsed = parse_invitation(invitation);
    if (!parsed) return reply.fail(parsed.error());
    const std::string node = spec_ ? spec_->node : std::string(context_.instance_name());
    if (auto opened = keys_.open(node); !opened) return reply.fail(opened.error());
    auto shared = std::make_shared<Reply<Done>>(std::move(reply));
    enrolment_ =
        Enrolment::start(io_, route_, options_.connect_timeout, keys_.identity(), *parsed, node,
                         [this, shared](Result<std::string> pin) {
                             enrolment_.reset();
                             if (!pin) return shared->fail(pin.error());
                             auto stored = store_pins(context_.state_dir(), {*pin, ""});
                             if (!stored) return shared->fail(stored.error());
                             context_.info("enrolled with the gateway " + to_text(route_.gateway) +
                                           ", its key is " + *pin);
                             start_uplinks();
                             shared->ok();
                             changed();
                         });
}

void Agent::rotate_key(Reply<Done> reply) {
    if (stopping_) return reply.fail(Errc::closed, "the tunnel is stopping");
    if (!spec_) return reply.fail(Errc::conflict, "the tunnel is not open");
    keys_.rotate(any_uplink(), std::move(reply));
}

void Agent::check(Reply<std::vector<TunnelCheck>> reply) {
    if (stopping_) return reply.fail(Errc::closed, "the tunnel is stopping");
    if (!spec_) return reply.fail(Errc::conflict, "the tunnel is not open");
    check_replies_.push_back(std::move(reply));
    if (checks_) return;
    checks_ = Checks::start(
        {io_, options_.connect_timeout, *AddressRules::make(options_.permit_networks)}, *spec_,
        epoch_active_, [this](OpenRequest request) { return call_out(std::move(request)); },
        [this](const std::vector<TunnelCheck>& results) {
            checks_.reset();
            for (auto& waiting : std::exchange(check_replies_, {})) waiting.ok(results);
        });
}

void Agent::stop() {
    stopping_ = true;
    if (checks_) checks_->cancel();
    for (auto& reply : std::exchange(check_replies_, {}))
        reply.fail(Errc::closed, "the tunnel is stopping");
    stop_serving(StatusCode::draining, "this node is stopping");
    if (enrolment_) enrolment_->stop();
    keys_.fail({Errc::closed, "the tunnel is stopping"});
    for (auto& [number, one] : std::exchange(asks_, {}))
        fail_ask(std::move(one), {Errc::closed, "the tunnel is stopping"});
    for (auto& reply : std::exchange(drain_replies_, {}))
        reply.fail(Errc::closed, "the tunnel is stopping");
    draining_ = false;
    cut_all("this node is stopping");
    for (const auto& uplink : uplinks_) uplink->stop("this node is stopping");
    renewal_.stop("this node is stopping");
    drain_timer_.cancel();
    report_timer_.cancel();
    events_.close();
}

/// After a link was lost: goes on serving when nobody else was granted anything meanwhile. Also
/// when the other links look whole: behind a cut they may lead to a gateway that is gone, and the
/// one that has just said welcome routes to nobody before it is told.
void Agent::resume_serving(Uplink* over) {
    if (epoch_active_ == 0 || view_.epoch != epoch_active_ || view_.holder != spec_->node) return;
    if (links_up() <= 1) {
        confirmed_ = false;
        serving_.open_gate(epoch_active_);
    }
    ask(msg::Activate{.ask = 0, .epoch = epoch_active_}, Reply<Done>{}, epoch_active_, over);
}

// --- what the gateway says -----------------------------------------------------------------------

void Agent::on_control(Uplink& uplink, const ControlMessage& message) {
    if (const auto* pushed = std::get_if<msg::Register>(&message)) {
        on_view(pushed->view);
    } else if (const auto* lost = std::get_if<msg::HolderLost>(&message)) {
        view_ = lost->view;
        view_known_ = true;
        events_.push(event(TunnelEvent::Type::holder_lost));
    } else if (const auto* fenced = std::get_if<msg::Fenced>(&message)) {
        on_fenced(fenced->view, fenced->drain);
    } else if (const auto* answer = std::get_if<msg::ClaimAnswer>(&message)) {
        on_claim_answer(*answer);
    } else if (const auto* activated = std::get_if<msg::Activated>(&message)) {
        on_activated(activated->ask);
    } else if (const auto* refused = std::get_if<msg::RefusedEpoch>(&message)) {
        on_epoch_refused(*refused);
    } else if (const auto* plain = std::get_if<msg::Answer>(&message)) {
        on_answer(*plain);
    } else if (const auto* keys = std::get_if<msg::Keys>(&message)) {
        keys_.on_keys(uplink, *keys);
    } else if (const auto* stored = std::get_if<msg::KeysStored>(&message)) {
        keys_.on_stored(uplink, *stored);
    }
}

void Agent::on_view(const RegisterView& view) {
    if (epoch_active_ != 0 && view.epoch > epoch_active_) return on_fenced(view, draining_);
    const bool news = !view_known_ || !same_facts(view_, view);
    view_ = view;
    view_known_ = true;
    if (news) events_.push(event(TunnelEvent::Type::reg));
}

void Agent::on_fenced(const RegisterView& view, bool drain) {
    const bool again = view_known_ && same_facts(view_, view) && epoch_active_ == 0;
    view_ = view;
    view_known_ = true;
    if (again || view.epoch <= epoch_active_) return;
    if (epoch_active_ != 0)
        context_.warn("fenced: epoch " + std::to_string(view.epoch) + " was granted to " +
                      view.holder + ", this node served epoch " + std::to_string(epoch_active_) +
                      (drain ? "; its streams may end" : "; its streams are cut"));
    stop_serving(StatusCode::stale_epoch,
                 "epoch " + std::to_string(view.epoch) + " was granted to " + view.holder);
    if (drain)
        draining_ = true;
    else
        cut_all("fenced by epoch " + std::to_string(view.epoch));
    finish_drain_if_over();
    events_.push(event(TunnelEvent::Type::fenced));
    changed();
}

void Agent::stop_serving(StatusCode code, std::string text) {
    epoch_active_ = 0;
    confirmed_ = false;
    serving_.close_gate(code, std::move(text));
    channels_.close_gate();
}

void Agent::on_claim_answer(const msg::ClaimAnswer& answer) {
    auto found = asks_.extract(answer.ask);
    // Nobody waits for it any more, and yet it may say that this node was granted an epoch.
    if (found.empty()) return on_view(answer.view);
    view_ = answer.view;
    view_known_ = true;
    if (auto* reply = std::get_if<Reply<ClaimResult>>(&found.mapped().reply))
        reply->ok({answer.granted, to_host(answer.view, true), answer.text});
}

void Agent::on_activated(std::uint64_t number) {
    auto found = asks_.extract(number);
    if (found.empty()) return;
    const std::uint64_t epoch = found.mapped().activates;
    auto* reply = std::get_if<Reply<Done>>(&found.mapped().reply);
    if (epoch == 0 || epoch != epoch_active_) {
        if (reply != nullptr)
            reply->fail(Errc::conflict, "fenced or drained while it was activated");
        return;
    }
    if (!std::exchange(confirmed_, true))
        context_.info("active: the gateway routes to this node under epoch " +
                      std::to_string(epoch));
    if (reply != nullptr) reply->ok();
    channels_.release();
    changed();
}

void Agent::on_epoch_refused(const msg::RefusedEpoch& refused) {
    auto found = asks_.extract(refused.ask);
    if (found.empty()) return;
    const std::uint64_t epoch = found.mapped().activates;
    const std::string text = "the gateway does not route epoch " + std::to_string(epoch) +
                             " to this node: epoch " + std::to_string(refused.view.epoch) +
                             " is held by " +
                             (refused.view.holder.empty() ? "nobody" : refused.view.holder);
    if (epoch != 0 && epoch == epoch_active_ && refused.view.epoch <= epoch)
        stop_serving(StatusCode::stale_epoch, text);
    on_view(refused.view);
    fail_ask(std::move(found.mapped()), {Errc::conflict, text});
    changed();
}

void Agent::on_answer(const msg::Answer& answer) {
    auto found = asks_.extract(answer.ask);
    if (found.empty()) return;
    if (auto* reply = std::get_if<Reply<Done>>(&found.mapped().reply); reply && answer.accepted)
        reply->ok();
    else
        fail_ask(std::move(found.mapped()), {Errc::conflict, answer.text});
}

void Agent::fail_ask(Ask one, const Error& error) {
    std::visit([&](auto& reply) { reply.fail(error); }, one.reply);
}

}  // namespace umbra::gateway
