#include "requests.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace umbra::zeromq {

void Requests::add(Frames frames, Reply<Frames> reply, TimePoint fallback) {
    if (pending_.size() >= requests_max) {
        reply.fail(Errc::exhausted, std::to_string(requests_max) +
                                        " questions to the peer wait for an answer already");
        return;
    }
    const auto deadline = deadline_of(reply, fallback);
    const auto number = next_number_++;
    pending_.emplace(number, Pending{std::move(frames), std::move(reply), deadline, false});
    unsent_.push_back(number);
}

void Requests::flush(zmq::socket_t& socket) {
    std::size_t done = 0;
    for (; done < unsent_.size(); ++done) {
        const auto found = pending_.find(unsent_[done]);
        if (found == pending_.end()) continue;
        if (!send_frames(socket, {to_little_endian(found->first), ""}, found->second.frames)) break;
        found->second.sent = true;
        found->second.frames.clear();
    }
    unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(done));
}

bool Requests::on_answer(Message message) {
    if (message.too_many_frames) return false;
    auto parts = split(std::move(message.frames));
    if (!parts || parts->envelope.size() != 2) return false;
    const auto number = from_little_endian(parts->envelope[0]);
    const auto found = number ? pending_.find(*number) : pending_.end();
    if (found == pending_.end() || !found->second.sent) return false;
    auto pending = pending_.extract(found);
    pending.mapped().reply.ok(parts->body);
    return true;
}

void Requests::fail_sent(const Error& error) {
    for (auto entry = pending_.begin(); entry != pending_.end();) {
        if (!entry->second.sent) {
            ++entry;
            continue;
        }
        auto pending = pending_.extract(entry++);
        pending.mapped().reply.fail(error);
    }
}

void Requests::fail_all(const Error& error) {
    unsent_.clear();
    for (auto& [number, pending] : std::exchange(pending_, {})) pending.reply.fail(error);
}

void Requests::expire(TimePoint now, const std::string& why_unsent) {
    for (auto entry = pending_.begin(); entry != pending_.end();) {
        auto& [number, pending] = *entry;
        if (pending.reply.canceled()) {
            pending.reply.fail(Errc::canceled, "the question was cancelled");
        } else if (now >= pending.deadline) {
            pending.reply.fail(Errc::timeout, pending.sent
                                                  ? "the peer did not answer in time"
                                                  : "it could not be asked in time: " + why_unsent);
        } else {
            ++entry;
            continue;
        }
        entry = pending_.erase(entry);
    }
    std::erase_if(unsent_, [&](auto number) { return !pending_.contains(number); });
}

TimePoint Requests::next_deadline() const {
    TimePoint next = TimePoint::max();
    for (const auto& [number, pending] : pending_) next = std::min(next, pending.deadline);
    return next;
}

std::optional<Parts> split(Frames frames) {
    const auto limit = std::min(frames.size(), envelope_max);
    for (std::size_t i = 0; i < limit; ++i) {
        if (!frames[i].empty()) continue;
        const auto body = frames.begin() + static_cast<std::ptrdiff_t>(i) + 1;
        Parts parts;
        parts.body.assign(std::move_iterator{body}, std::move_iterator{frames.end()});
        frames.erase(body, frames.end());
        parts.envelope = std::move(frames);
        if (parts.body.empty() || parts.body.size() > frames_max) return std::nullopt;
        return parts;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> Questions::add(Frames envelope, const std::string& identity,
                                            bool is_guest) {
    const auto of_guest = std::count_if(asked_.begin(), asked_.end(), [&](const auto& entry) {
        return entry.second.identity == identity;
    });
    if (is_guest && static_cast<std::size_t>(of_guest) >= guest_questions_max) return std::nullopt;
    // The host answers everything; should it not, the oldest are given up by who asked long ago.
    if (asked_.size() >= questions_max) asked_.erase(asked_.begin());
    const auto id = next_id_++;
    asked_.emplace(id, Asked{std::move(envelope), identity});
    return id;
}

std::optional<Questions::Asked> Questions::take(std::uint64_t id) {
    const auto found = asked_.find(id);
    if (found == asked_.end()) return std::nullopt;
    Asked asked = std::move(found->second);
    asked_.erase(found);
    return asked;
}

void Questions::forget(const std::string& identity) {
    std::erase_if(asked_, [&](const auto& entry) { return entry.second.identity == identity; });
}

}  // namespace umbra::zeromq
