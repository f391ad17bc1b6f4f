#include <umbra/core/bytes.hpp>
#include <umbra/core/wire.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace umbra::core {

template <class A>
void visit(A& a, SavedKey& k) {
    a(k.key)(k.base)(k.saved);
}
template <class A>
void visit(A& a, SavedTable& t) {
    a(t.name)(t.at_fork)(t.saved);
}
template <class A>
void visit(A& a, SavedOp& o) {
    a(o.op_id)(o.keys);
}
template <class A>
void visit(A& a, SavedEdits& e) {
    a(e.id)(e.fork)(e.fork_known)(e.last)(e.authors)(e.keys)(e.tables)(e.ops);
}

}  // namespace umbra::core

namespace umbra::core::wire {

template <class A>
void visit(A& a, Timers& m) {
    a(m.check_interval)(m.connect_timeout)(m.request_timeout)(m.takeover_delay);
}
template <class A>
void visit(A& a, Pong& m) {
    a(m.node)(m.incarnation)(m.version)(m.role)(m.epoch)(m.serving)(m.last);
    a(m.pause.on)(m.pause.stamp)(m.pause.until_ms);
}
template <class A>
void visit(A& a, Hello& m) {
    a(m.proto)(m.node)(m.incarnation)(m.version)(m.plugins)(m.epoch)(m.boundaries)(m.timers);
}
template <class A>
void visit(A& a, HelloReply& m) {
    a(m.accepted)(m.reason)(m.node)(m.incarnation)(m.version)(m.plugins)(m.epoch)(m.common_seq);
    a(m.snapshot);
}
template <class A>
void visit(A& a, Fetch& m) {
    a(m.from_seq)(m.previous);
}
template <class A>
void visit(A& a, FetchReply& m) {
    a(m.mismatch)(m.unavailable)(m.bodies);
}
template <class A>
void visit(A& a, FetchSnapshot& m) {
    a(m.offset);
}
template <class A>
void visit(A& a, SnapshotReply& m) {
    a(m.position)(m.total)(m.chunk);
}
template <class A>
void visit(A& a, Report& m) {
    a(m.node)(m.incarnation)(m.epoch)(m.durable)(m.state)(m.can_serve)(m.timers)(m.rtt_us);
    a(m.drifted)(m.unheard_ns);
}
template <class A>
void visit(A& a, ReportReply& m) {
    a(m.known)(m.in_sync)(m.epoch)(m.last)(m.committed);
}
template <class A>
void visit(A& a, TakeOver& m) {
    a(m.epoch)(m.last);
}
template <class A>
void visit(A& a, TakeOverReply& m) {
    a(m.accepted)(m.reason);
}
template <class A>
void visit(A& a, Update& m) {
    a(m.epoch)(m.bodies);
}
template <class A>
void visit(A& a, Beacon& m) {
    a(m.epoch)(m.last)(m.digest);
}
template <class A>
void visit(A& a, Offer& m) {
    a(m.node)(m.edits)(m.by_hand)(m.author);
}
template <class A>
void visit(A& a, OfferReply& m) {
    a(m.id)(m.accepted)(m.final)(m.reason)(m.revision)(m.durable)(m.fates);
}

namespace {

/// A value that no enumerator has is no message.
bool is_sane(const Message& message) {
    if (const auto* pong = std::get_if<Pong>(&message)) {
        return pong->role == Role::master || pong->role == Role::shadow;
    }
    if (const auto* reply = std::get_if<OfferReply>(&message)) {
        return std::all_of(reply->fates.begin(), reply->fates.end(),
                           [](Fate fate) { return fate >= Fate::equal && fate <= fate_last; });
    }
    if (const auto* report = std::get_if<Report>(&message)) {
        return report->unheard_ns.value_or(0) >= 0;
    }
    return true;
}

constexpr char magic = 'U';

template <std::size_t I = 0>
std::optional<Message> decode_kind(std::size_t kind, std::string_view body) {
    if constexpr (I == std::variant_size_v<Message>) {
        return std::nullopt;
    } else {
        if (kind != I) return decode_kind<I + 1>(kind, body);
        std::variant_alternative_t<I, Message> message;
        Reader reader{body};
        visit(reader, message);
        if (!reader.finished()) return std::nullopt;
        return Message{std::in_place_index<I>, std::move(message)};
    }
}

}  // namespace

std::string encode(const Message& message) {
    Writer writer;
    writer(magic)(static_cast<std::uint8_t>(message.index() + 1));
    std::visit([&](const auto& m) { visit(writer, const_cast<std::decay_t<decltype(m)>&>(m)); },
               message);
    return writer.take();
}

bool merge_update(std::string& message, std::string_view more) {
    // Magic and kind, epoch, and the number of entries in front of them.
    constexpr std::size_t count_at = 2 + sizeof(Epoch);
    constexpr std::size_t entries_at = count_at + sizeof(std::uint32_t);
    static const std::size_t update = Message{Update{}}.index() + 1;
    const auto is_update = [](std::string_view bytes) {
        return bytes.size() >= entries_at && bytes[0] == magic &&
               static_cast<unsigned char>(bytes[1]) == update;
    };
    if (!is_update(message) || !is_update(more) ||
        message.compare(0, count_at, more.substr(0, count_at)) != 0)
        return false;
    std::uint32_t count = 0, count_more = 0;
    Reader{std::string_view{message}.substr(count_at)}(count);
    Reader{more.substr(count_at)}(count_more);
    if (count_more > std::numeric_limits<std::uint32_t>::max() - count) return false;
    message.replace(count_at, sizeof count, Writer{}(count + count_more).take());
    message += more.substr(entries_at);
    return true;
}

std::optional<Message> decode(std::string_view bytes) {
    if (bytes.size() < 2 || bytes.size() > message_bytes_max || bytes[0] != magic) {
        return std::nullopt;
    }
    auto message =
        decode_kind(static_cast<unsigned char>(bytes[1]) - std::size_t{1}, bytes.substr(2));
    return message && is_sane(*message) ? std::move(message) : std::nullopt;
}

}  // namespace umbra::core::wire
