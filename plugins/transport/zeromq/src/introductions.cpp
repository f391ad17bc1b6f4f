#include "introductions.hpp"

#include "endpoint.hpp"

#include <utility>

namespace umbra::zeromq {

void Introductions::add(zmq::context_t& context, const Options& options, const std::string& respond,
                        const std::string& server_identity, const std::string& secret,
                        Frames frames, Reply<Frames> reply) {
    const auto endpoint = parse_endpoint(respond, false);
    const auto pair = key_pair_of(secret);
    if (const auto why = why_not_sendable(frames, options.max_message); !why.empty()) {
        reply.fail(Errc::invalid, why);
    } else if (!endpoint.ok()) {
        reply.fail(endpoint.error());
    } else if (!pair.ok()) {
        reply.fail(pair.error());
    } else if (!is_key(server_identity)) {
        reply.fail(Errc::invalid, "the identity to introduce to is not a CURVE key");
    } else if (open_.size() >= introductions_max) {
        reply.fail(Errc::exhausted,
                   std::to_string(introductions_max) + " introductions are under way already");
    } else {
        try {
            open_.push_back({Dialer{context, zmq::socket_type::dealer, pair.value(),
                                    server_identity, options, respond},
                             {},
                             "no connection to " + respond});
        } catch (const zmq::error_t& failure) {
            reply.fail({Errc::exhausted,
                        std::string{"cannot dial "} + respond + ": " + failure.what(),
                        failure.num()});
            return;
        }
        open_.back().question.add(std::move(frames), std::move(reply),
                                  Clock::now() + introduction_default);
    }
}

void Introductions::fail_all(const Error& error) {
    for (auto& introduction : open_) introduction.question.fail_all(error);
    open_.clear();
}

void Introductions::prepare(PollSet& set) {
    for (auto& introduction : open_) {
        set.add(introduction.dialer.monitor().fd());
        const bool writes = introduction.dialer.up() && introduction.question.has_unsent();
        set.add(introduction.dialer.socket(),
                writes ? static_cast<short>(ZMQ_POLLIN | ZMQ_POLLOUT) : short{ZMQ_POLLIN});
        set.until(introduction.dialer.next_step());
        set.until(introduction.question.next_deadline());
    }
}

void Introductions::step(TimePoint now) {
    std::erase_if(open_, [now](auto& introduction) { return !step_one(introduction, now); });
}

bool Introductions::step_one(Introduction& introduction, TimePoint now) {
    auto& [dialer, question, trouble] = introduction;
    Message message;
    for (int i = 0; i < batch_max && receive(dialer.socket(), message); ++i)
        question.on_answer(std::move(message));
    for (const auto& change : dialer.step(now)) {
        trouble = change.detail;
        // The invitation may be used up by now: asking twice is not ours to decide.
        if (change.type == LinkChange::Type::lost)
            question.fail_sent({Errc::unavailable, trouble + " before the answer came"});
        if (change.type == LinkChange::Type::denied)
            question.fail_all({Errc::denied, trouble + ": it is used up, expired or revoked"});
    }
    if (dialer.up()) question.flush(dialer.socket());
    question.expire(now, trouble);
    return question.size() > 0;
}

}  // namespace umbra::zeromq
