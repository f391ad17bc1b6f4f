#include "reception.hpp"

#include "log_room.hpp"
#include <umbra/base/clock.hpp>

namespace umbra::gateway {

using boost::asio::ip::tcp;

namespace {

std::int64_t unix_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace

Reception::Reception(Context& context, Desk desk) : context_(context), desk_(std::move(desk)) {}

void Reception::receive(tcp::socket socket) {
    if (pending_.size() >= pending_max) {
        ++context_.counters.pending_dropped;
        const auto oldest = pending_.front();
        pending_.pop_front();
        log_stranger(oldest, "dropped, too many connections that do not say who they are");
        oldest->link->close("too many connections that do not say who they are");
    }
    const auto guest = std::make_shared<Guest>();
    guest->link = Link::make(
        std::move(socket), desk_.identity(),
        {.budget = context_.budget, .sparse = context_.sparse, .loop = context_.loops.pick()});
    pending_.push_back(guest);
    LinkEvents events;
    events.on_ready = [] {};
    events.on_control = [this, guest](ControlMessage message) {
        on_control(guest, std::move(message));
    };
    // Streams come after the welcome only.
    events.on_open = [this, guest](std::shared_ptr<Stream> stream) {
        desk_.call_out(*guest->pair, *guest->session, std::move(stream));
    };
    events.on_closed = [this, guest](const LinkClosed& closed) { on_closed(guest, closed); };
    guest->link->start(std::move(events));
}

void Reception::stop() {
    const auto guests = std::move(pending_);
    pending_.clear();
    for (const auto& guest : guests) guest->link->close("the gateway stops");
}

void Reception::log_stranger(const GuestPtr& guest, std::string_view text) {
    if (auto more = stranger_log_.pass(base::boot_now()))
        base::warn(log_room, "connection from {}: {} ({} more like it)",
                   guest->link->peer_address(), text, *more);
}

void Reception::on_closed(const GuestPtr& guest, const LinkClosed& closed) {
    pending_.remove(guest);
    auto& counters = context_.counters;
    if (closed.why == LinkClosed::Why::protocol) ++counters.protocol_errors;
    if (closed.why == LinkClosed::Why::handshake) ++counters.handshakes_failed;
    if (guest->session) {
        base::info(log_room, "pair {}: a link of node {} from {} closed: {}", guest->pair->name(),
                   guest->session->node, guest->link->peer_address(), closed.text);
        guest->pair->closed(guest->session);
    } else if (closed.why != LinkClosed::Why::local) {
        log_stranger(guest, closed.text);
    }
    guest->session.reset();
    guest->link.reset();
}

void Reception::on_control(const GuestPtr& guest, ControlMessage message) {
    if (guest->session) {
        if (desk_.keys(*guest->pair, guest->session, message)) return;
        return guest->pair->control(guest->session, message);
    }
    if (guest->said) return;  // It is on its way out, or its enrolment is being written.
    guest->said = true;
    if (const auto* first = std::get_if<msg::Hello>(&message)) return hello(guest, *first);
    if (const auto* first = std::get_if<msg::Enrol>(&message)) return enrol(guest, *first);
    ++context_.counters.protocol_errors;
    refuse(guest, RefusalCode::not_enrolled, "the first message has to be a hello or an enrolment");
}

void Reception::refuse(const GuestPtr& guest, RefusalCode code, std::string text) {
    log_stranger(guest, text);
    guest->link->send(msg::Refused{code, text});
    guest->link->close(std::move(text));
}

void Reception::hello(const GuestPtr& guest, const msg::Hello& hello) {
    const auto* known = desk_.roster().find_pin(guest->link->peer_pin());
    if (known == nullptr) {
        ++context_.counters.strangers;
        return refuse(guest, RefusalCode::not_enrolled,
                      "this key is not enrolled here; run: umbra-gateway invite " +
                          (config::is_name(hello.node) ? hello.node : std::string("NAME")));
    }
    if (hello.proto != protocol_version) {
        ++context_.counters.refused_links;
        return refuse(guest, RefusalCode::version,
                      "this gateway speaks protocol " + std::to_string(protocol_version) +
                          ", the instance " + std::to_string(hello.proto));
    }
    if (known->node != hello.node) {
        ++context_.counters.refused_links;
        return refuse(guest, RefusalCode::wrong_name,
                      "this key is enrolled for node " + known->node + ", not for another name");
    }
    auto pair = desk_.pair(known->pair);
    if (!pair) return refuse(guest, RefusalCode::internal, pair.error().message);
    pending_.remove(guest);
    guest->pair = pair.value();
    guest->session = std::make_shared<Session>();
    guest->session->link = guest->link;
    guest->pair->hello(guest->session, hello);
}

void Reception::enrol(const GuestPtr& guest, const msg::Enrol& enrol) {
    const auto* invitation = desk_.roster().find_invitation(enrol.invitation);
    const auto exporter = guest->link->exporter(enrol_exporter_label, enrol_exporter_bytes);
    const bool open = invitation != nullptr && invitation->expires > unix_now();
    if (!open || !exporter || !proof_fits(*invitation, exporter.value(), enrol.proof)) {
        ++context_.counters.wrong_proofs;
        refuse(guest, RefusalCode::bad_invitation,
               "this invitation is unknown, used up or expired; make another one with "
               "umbra-gateway invite");
        if (!open) return;
        return desk_.change(
            [id = enrol.invitation](Roster& roster) -> Result<Done> {
                if (roster.count_wrong(id))
                    base::warn(log_room, "an invitation was met with {} wrong proofs and is void",
                               wrong_proofs_max);
                return Done{};
            },
            [](Result<Done>) {});
    }
    if (invitation->node != enrol.node) {
        ++context_.counters.wrong_proofs;
        return refuse(guest, RefusalCode::wrong_name,
                      "the invitation is for node " + invitation->node);
    }
    finish_enrolment(guest, enrol, invitation->pair);
}

void Reception::finish_enrolment(const GuestPtr& guest, const msg::Enrol& enrol,
                                 const std::string& pair_name) {
    // The register is on disk before the roster says that the pair has one.
    auto pair = desk_.pair(pair_name);
    if (!pair) return refuse(guest, RefusalCode::internal, pair.error().message);
    const auto pin = guest->link->peer_pin();
    desk_.change(
        [id = enrol.invitation, pin](Roster& roster) -> Result<Done> {
            if (roster.find_invitation(id) == nullptr)
                return Error{Errc::refused, "the invitation was used up just now"};
            roster.enrol(id, pin, base::wall_time());
            return Done{};
        },
        [this, guest, node = enrol.node, at = pair.value()](Result<Done> done) {
            if (!done) {
                if (guest->link) refuse(guest, RefusalCode::bad_invitation, done.error().message);
                return;
            }
            base::info(log_room, "pair {}: node {} is enrolled", at->name(), node);
            at->enrolled(node);
            if (!guest->link) return;
            guest->link->send(msg::Enrolled{context_.settings.name});
            guest->link->close("enrolled");
        });
}

}  // namespace umbra::gateway
