#include <umbra/gateway/other_gateways.hpp>

#include <algorithm>

namespace umbra::gateway {

namespace {

std::string milliseconds(Duration duration) {
    return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(duration).count()) + " ms";
}

}  // namespace

std::string OtherGateways::Other::name() const { return note ? note->name : "of another version"; }

void OtherGateways::read(Instant asked, Instant answered, const std::vector<Seen>& all) {
    std::map<std::string, Other> next;
    for (const auto& seen : all) {
        auto& other = next[seen.key];
        const auto known = others_.find(seen.key);
        if (known != others_.end() && known->second.revision == seen.revision) {
            other = std::move(known->second);
            other.silent = std::max(other.silent, asked - other.since);
        } else {
            other = Other{seen.revision, answered, {}, seen.note};
        }
    }
    others_ = std::move(next);
}

fact::HeardElsewhere OtherGateways::about(const std::string& pair, Epoch epoch) const {
    fact::HeardElsewhere told;
    for (const auto& entry : others_) {
        const Other& other = entry.second;  // clang 14 can not capture a part of a binding.
        if (other.is_gone()) continue;
        const bool old = other.silent >= doubt_after(other.hold());
        const auto doubt = [&](const std::string& why) {
            told.doubt = "gateway " + other.name() + " " + why;
        };
        if (old || !other.note)
            doubt("may still serve it: it was not heard of for " + milliseconds(other.silent) +
                  " and is out of the way after " + milliseconds(gone_after(other.hold())));
        if (!other.note) continue;
        const auto found = other.note->pairs.find(pair);
        if (found == other.note->pairs.end()) continue;
        const auto& note = found->second;
        for (const auto& [node, known] : note.reports)
            told.reports[node] = std::max(told.reports[node], known);
        if (note.epoch != epoch) {
            doubt("has not yet seen epoch " + std::to_string(std::max(note.epoch, epoch)));
            continue;
        }
        if (note.hears_holder) told.heard_by = other.name();
        if (note.consent) {
            told.consent = epoch;
            told.successor = note.successor;
        }
    }
    return told;
}

bool OtherGateways::passed(const std::string& pair, Epoch epoch) const {
    return std::ranges::all_of(others_, [&](const auto& item) {
        const Other& other = item.second;
        if (other.is_gone()) return true;
        if (!other.note) return false;
        const auto found = other.note->pairs.find(pair);
        // Who does not name the pair has to read the record before it serves it.
        return found == other.note->pairs.end() || found->second.epoch >= epoch;
    });
}

std::vector<std::pair<std::string, std::uint64_t>> OtherGateways::gone() const {
    std::vector<std::pair<std::string, std::uint64_t>> keys;
    for (const auto& [key, other] : others_)
        if (other.is_gone()) keys.emplace_back(key, other.revision);
    return keys;
}

}  // namespace umbra::gateway
