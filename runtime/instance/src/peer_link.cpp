#include "peer_link.hpp"

#include <umbra/base/log.hpp>
#include <umbra/config/values.hpp>
#include <umbra/core/wire.hpp>

#include <algorithm>
#include <utility>

namespace umbra::instance {

namespace {

using namespace std::chrono_literals;

constexpr Duration transport_open_limit = 10s;
constexpr Duration local_limit = 2s;  ///< For what needs no answer from the other side.
constexpr Duration introduce_limit = 10s;
constexpr Duration event_retry = 1s;
constexpr Duration dial_patience = 2s;  ///< For a new peer that does not speak first.
constexpr int check_rounds = 50;
/// Of what is published in one message; any transport takes as much.
constexpr std::size_t outbox_frames_max = 32;
constexpr std::size_t outbox_bytes_max = std::size_t{256} << 10;

const std::string ping_frame{core::wire::ping_frame};

Duration age_of(const std::string& frame) {
    std::uint64_t nanoseconds = 0;
    if (frame.size() != sizeof nanoseconds) return Duration::max();
    for (std::size_t i = frame.size(); i-- > 0;) {
        nanoseconds = nanoseconds << 8 | static_cast<unsigned char>(frame[i]);
    }
    return Duration{static_cast<std::int64_t>(std::min<std::uint64_t>(nanoseconds, INT64_MAX))};
}

Reply refused(std::string text) { return {Outcome::refused, std::move(text), {}, {}, {}}; }
Reply failed(std::string text) { return {Outcome::failed, std::move(text), {}, {}, {}}; }

}  // namespace

PeerLink::PeerLink(Place place, std::unique_ptr<host::TransportHandle> handle,
                   std::optional<PinnedPeer> peer, Report report, Pin pin)
    : place_(std::move(place)),
      handle_(std::move(handle)),
      peer_(std::move(peer)),
      report_(std::move(report)),
      pin_(std::move(pin)) {}

/// The file says where the other side is; what it said itself at the introduction comes second.
TransportSpec PeerLink::spec() const {
    TransportSpec spec;
    spec.own_publish = place_.config.own_publish;
    spec.own_respond = place_.config.own_respond;
    if (open_) {
        spec.own_publish = opened_.own_publish;
        spec.own_respond = opened_.own_respond;
    }
    if (peer_) {
        const auto& c = place_.config;
        if (!dial_deferred_) {
            spec.peer_publish = c.peer_publish.empty() ? peer_->publish : c.peer_publish;
            spec.peer_respond = c.peer_respond.empty() ? peer_->respond : c.peer_respond;
        }
        spec.peer_identity = peer_->identity;
    }
    for (const auto& [identity, until] : guests_) spec.guests.push_back(identity);
    return spec;
}

void PeerLink::open(std::function<void(Result<Done>)> done) {
    handle_->open(spec(), host::Deadline::after(transport_open_limit),
                  [this, done = std::move(done)](const Result<TransportOpened>& result) {
                      if (!result.ok()) {
                          done(result.error());
                          return;
                      }
                      opened_ = *result;
                      open_ = true;
                      pull();
                      done(Done{});
                  });
}

void PeerLink::pull() {
    handle_->next_event(host::Deadline::none(), [this](const Result<TransportEvent>& event) {
        if (event.ok()) {
            take(*event);
            pull();
        } else if (event.error().code != Errc::closed) {
            base::error("peer", "{}", event.error().message);
            place_.surroundings.timers->schedule(place_.surroundings.timers->now() + event_retry,
                                                 [this] { pull(); });
        }
    });
}

void PeerLink::take(const TransportEvent& event) {
    using Type = TransportEvent::Type;
    switch (event.type) {
        case Type::update:
            for (const auto& frame : event.frames) report_(core::fact::PeerPublished{frame});
            return;
        case Type::asked:
            if (peer_ && event.identity == peer_->identity) {
                dial_new_peer();
                if (!event.frames.empty()) {
                    report_(core::fact::PeerAsked{event.id, event.frames.front()});
                }
            } else {
                take_introduction(event);
            }
            return;
        case Type::link_up:
            linked_ = true;
            detail_ = event.detail;
            base::info("peer", "link up{}{}", event.detail.empty() ? "" : ": ", event.detail);
            report_(core::fact::LinkCameUp{});
            return;
        case Type::link_lost:
            if (linked_) base::warn("peer", "link lost: {}", event.detail);
            linked_ = false;
            detail_ = event.detail;
            report_(core::fact::LinkWasLost{event.detail});
            return;
        case Type::refused:
            linked_ = false;
            detail_ = event.detail;
            report_(core::fact::PeerRefused{event.detail});
            return;
        case Type::stranger:
            strangers_ += event.count;
            base::warn("peer", "refused {} connection(s) without a permitted key: {}", event.count,
                       event.detail);
            return;
    }
}

// --- what the core wants
// ----------------------------------------------------------------------------

void PeerLink::carry_out(const core::effect::SetPong& effect) {
    pong_ = effect.bytes;
    pong_changed_ = true;
    arm_outbox();
}

void PeerLink::refresh_pong() {
    if (!open_ || pong_.empty()) return;
    handle_->set_pong(ping_frame, {pong_}, host::Deadline::after(local_limit),
                      [](const Result<Done>&) {});
}

void PeerLink::carry_out(const core::effect::Ping& effect) {
    const Instant asked = place_.surroundings.timers->now();
    handle_->request(
        {ping_frame}, host::Deadline::after(place_.request_timeout),
        [this, ask = effect.ask, asked](const Result<Frames>& answer) {
            if (!answer.ok() || answer->size() != 2) {
                report_(core::fact::PingFailed{ask});
                return;
            }
            const Duration rtt = place_.surroundings.timers->now() - asked;
            report_(core::fact::Ponged{ask, answer->front(), age_of(answer->back()), rtt});
        });
}

void PeerLink::carry_out(const core::effect::AskPeer& effect) {
    const Duration limit = std::max<Duration>(place_.request_timeout, 1s);
    handle_->request({effect.bytes}, host::Deadline::after(limit),
                     [this, ask = effect.ask](const Result<Frames>& answer) {
                         if (answer.ok() && !answer->empty()) {
                             report_(core::fact::PeerAnswered{ask, answer->front()});
                         } else {
                             report_(core::fact::PeerDidNotAnswer{ask});
                         }
                     });
}

void PeerLink::carry_out(const core::effect::AnswerPeer& effect) {
    handle_->answer(effect.id, {effect.bytes}, host::Deadline::after(local_limit),
                    [](const Result<Done>&) {});
}

/// What is published in one turn of the loop goes out together, updates as one part of it: a
/// message or a part each would cost both instances more than the edits in them.
void PeerLink::carry_out(const core::effect::Publish& effect) {
    const bool full = outbox_.size() == outbox_frames_max ||
                      outbox_bytes_ + effect.bytes.size() > outbox_bytes_max;
    if (full) send_outbox();
    outbox_bytes_ += effect.bytes.size();
    if (outbox_.empty() || !core::wire::merge_update(outbox_.back(), effect.bytes))
        outbox_.push_back(effect.bytes);
    arm_outbox();
}

void PeerLink::arm_outbox() {
    if (std::exchange(outbox_armed_, true)) return;
    place_.surroundings.post([this] {
        outbox_armed_ = false;
        send_outbox();
    });
}

void PeerLink::send_outbox() {
    if (std::exchange(pong_changed_, false)) refresh_pong();
    if (outbox_.empty()) return;
    outbox_bytes_ = 0;
    // What is lost here is noticed by the next beacon, pong or report, and fetched.
    handle_->publish(std::exchange(outbox_, {}), host::Deadline::after(local_limit),
                     [](const Result<Done>&) {});
}

// --- first meeting
// ----------------------------------------------------------------------------------

void PeerLink::reconfigure(std::function<void(Result<Done>)> done) {
    handle_->reconfigure(spec(), host::Deadline::after(local_limit), std::move(done));
}

void PeerLink::redirect(std::string publish, std::string respond,
                        std::function<void(Result<Done>)> done) {
    auto before = std::exchange(place_.config.peer_publish, std::move(publish));
    auto before_respond = std::exchange(place_.config.peer_respond, std::move(respond));
    reconfigure([this, before = std::move(before), before_respond = std::move(before_respond),
                 done = std::move(done)](Result<Done> result) {
        if (!result.ok()) {
            place_.config.peer_publish = before;
            place_.config.peer_respond = before_respond;
        }
        done(std::move(result));
    });
}

void PeerLink::change_options(const config::OptionValues& values, host::Callback<Done> done) {
    handle_->change_options(values.data(), values.size(), host::Deadline::after(local_limit),
                            std::move(done));
}

void PeerLink::drop_expired_guests() {
    const Instant now = place_.surroundings.timers->now();
    std::erase_if(guests_, [&](const auto& guest) { return guest.second <= now; });
}

void PeerLink::invite(Control::Done done) {
    if (peer_) {
        done(refused("this instance is paired with " + peer_->name +
                     "; run `umbra peer reset` before you invite another"));
        return;
    }
    drop_expired_guests();
    if (guests_.size() >= invitations_max) {
        done(refused("there are " + std::to_string(guests_.size()) +
                     " open invitations already; they expire after 15 minutes"));
        return;
    }
    handle_->mint(host::Deadline::after(local_limit),
                  [this, done = std::move(done)](const Result<Minted>& minted) {
                      if (!minted.ok()) {
                          done(failed(minted.error().message));
                          return;
                      }
                      guests_[minted->identity] =
                          place_.surroundings.timers->now() + invitation_life;
                      const std::string text =
                          encode(Invitation{place_.node, opened_.identity, opened_.own_publish,
                                            opened_.own_respond, minted->secret});
                      reconfigure([done, text](const Result<Done>& result) {
                          if (!result.ok()) {
                              done(failed(result.error().message));
                              return;
                          }
                          done({Outcome::done, "valid once, for 15 minutes", {}, text, {}});
                      });
                      place_.surroundings.timers->schedule(
                          place_.surroundings.timers->now() + invitation_life, [this] {
                              drop_expired_guests();
                              reconfigure([](const Result<Done>&) {});
                          });
                  });
}

void PeerLink::answer_guest(std::uint64_t id, const JoinReply& reply) {
    handle_->answer(id, {encode(reply)}, host::Deadline::after(local_limit),
                    [](const Result<Done>&) {});
}

/// The one question that a guest may ask.
void PeerLink::take_introduction(const TransportEvent& event) {
    drop_expired_guests();
    const auto guest = guests_.find(event.identity);
    const auto declined = [&](std::string reason) {
        base::warn("peer", "declined an introduction: {}", reason);
        answer_guest(event.id, {false, std::move(reason), place_.node});
    };
    if (guest == guests_.end() || event.frames.empty()) {
        declined("this invitation was used, has expired, or is not one of " + place_.node);
        return;
    }
    const auto request = decode_join_request(event.frames.front());
    if (!request.ok()) {
        declined(request.error().message);
        return;
    }
    if (!place_.permitted.empty() && request->node != place_.permitted) {
        declined("only " + place_.permitted + " may be the shadow of " + place_.node + ", not " +
                 request->node);
        return;
    }
    if (request->node == place_.node) {
        declined("both instances are called " + place_.node + "; give one another name");
        return;
    }
    if (peer_) {
        declined(place_.node + " is paired with " + peer_->name + " already");
        return;
    }
    guests_.erase(guest);
    peer_ = PinnedPeer{request->node, request->identity, request->publish, request->respond};
    dial_deferred_ = true;
    base::info("peer", "{} introduced itself by invitation; its key is pinned", request->node);
    pin_(peer_, [this, id = event.id] {
        // Admitted before it is told so, because it connects as soon as it knows.
        reconfigure([this, id](const Result<Done>&) {
            answer_guest(id, {true, {}, place_.node});
            report_(core::fact::Paired{true});
        });
        place_.surroundings.timers->schedule(place_.surroundings.timers->now() + dial_patience,
                                             [this] { dial_new_peer(); });
    });
}

void PeerLink::dial_new_peer() {
    if (!std::exchange(dial_deferred_, false)) return;
    reconfigure([](const Result<Done>& result) {
        if (!result.ok()) base::warn("peer", "{}", result.error().message);
    });
}

void PeerLink::join(const std::string& text, Control::Done done) {
    if (peer_) {
        done(refused("this instance is paired with " + peer_->name +
                     "; run `umbra peer disconnect` and `umbra peer reset` first"));
        return;
    }
    const auto invitation = decode_invitation(text);
    if (!invitation.ok()) {
        done({Outcome::invalid, invitation.error().message, {}, {}, {}});
        return;
    }
    if (invitation->node == place_.node) {
        done({Outcome::invalid, "this invitation was made by this instance itself", {}, {}, {}});
        return;
    }
    const std::string respond =
        place_.config.peer_respond.empty() ? invitation->respond : place_.config.peer_respond;
    const JoinRequest request{place_.node, opened_.identity, place_.version, opened_.own_publish,
                              opened_.own_respond};
    handle_->introduce(
        respond, invitation->identity, invitation->secret, {encode(request)},
        host::Deadline::after(introduce_limit),
        [this, invitation = *invitation, respond,
         done = std::move(done)](const Result<Frames>& answer) {
            if (!answer.ok() || answer->empty()) {
                done(failed("no answer from " + invitation.node + " at " + respond +
                            ": it is not reachable, or the invitation was used or has expired"));
                return;
            }
            const auto reply = decode_join_reply(answer->front());
            if (!reply.ok() || !reply->accepted) {
                done(refused(invitation.node +
                             " declined: " + (reply.ok() ? reply->reason : reply.error().message)));
                return;
            }
            peer_ = PinnedPeer{invitation.node, invitation.identity, invitation.publish,
                               invitation.respond};
            pin_(peer_, [this, done] {
                reconfigure([this, done](const Result<Done>& result) {
                    if (!result.ok()) {
                        done(failed(result.error().message));
                        return;
                    }
                    report_(core::fact::Paired{true});
                    done({Outcome::done, "paired with " + peer_->name, {}, {}, {}});
                });
            });
        });
}

void PeerLink::forget(Control::Done done) {
    if (!peer_) {
        done(refused("this instance is not paired"));
        return;
    }
    const std::string name = peer_->name;
    peer_.reset();
    dial_deferred_ = false;
    guests_.clear();
    linked_ = false;
    pin_(std::nullopt, [this, name, done = std::move(done)] {
        reconfigure([this, name, done](const Result<Done>& result) {
            report_(core::fact::Paired{false});
            if (!result.ok()) {
                done(failed(result.error().message));
                return;
            }
            done({Outcome::done, "everything about " + name + " is forgotten", {}, {}, {}});
        });
    });
}

// --- umbra peer check
// -------------------------------------------------------------------------------

struct PeerLink::Check {
    Timers timers;
    std::vector<Duration> rtts;
    int lost = 0;
    Control::Done done;
};

void PeerLink::check(const Timers& timers, Control::Done done) {
    if (!peer_) {
        done(refused("this instance is not paired; there is no link to measure"));
        return;
    }
    check_round(std::make_shared<Check>(Check{timers, {}, 0, std::move(done)}));
}

void PeerLink::check_round(std::shared_ptr<Check> check) {
    if (static_cast<int>(check->rtts.size()) + check->lost < check_rounds && check->lost < 5) {
        const Instant asked = place_.surroundings.timers->now();
        handle_->request({ping_frame}, host::Deadline::after(check->timers.request_timeout),
                         [this, check, asked](const Result<Frames>& answer) {
                             if (answer.ok()) {
                                 check->rtts.push_back(place_.surroundings.timers->now() - asked);
                             } else {
                                 ++check->lost;
                             }
                             check_round(check);
                         });
        return;
    }
    if (check->rtts.empty()) {
        check->done(failed(peer_->name + " answered none of " + std::to_string(check->lost) +
                           " pings within " +
                           config::format_duration(check->timers.request_timeout)));
        return;
    }
    std::sort(check->rtts.begin(), check->rtts.end());
    const auto us = [](Duration d) {
        return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(d).count()) +
               " us";
    };
    const Duration worst = check->rtts.back();
    // Four times the worst of a calm minute leaves room for a busy one.
    const bool suits = check->lost == 0 && 4 * worst <= check->timers.request_timeout;
    Reply reply;
    reply.outcome = suits ? Outcome::done : Outcome::failed;
    reply.message = suits ? "the time-outs suit this link"
                          : "request_timeout " +
                                config::format_duration(check->timers.request_timeout) +
                                " is too short for this link: four times the worst round trip is " +
                                us(4 * worst);
    reply.details = {
        "pings " + std::to_string(check->rtts.size()) + ", lost " + std::to_string(check->lost),
        "round trip p50 " + us(check->rtts[check->rtts.size() / 2]) + ", worst " + us(worst)};
    check->done(std::move(reply));
}

void PeerLink::stop(Duration limit, std::function<void()> done) {
    handle_->stop(host::Deadline::after(limit),
                  [done = std::move(done)](const Result<Done>&) { done(); });
}

}  // namespace umbra::instance
