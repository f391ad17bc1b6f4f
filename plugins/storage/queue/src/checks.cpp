#include <umbra/storage_queue/checks.hpp>

#include <string>

namespace umbra::storage_queue {

namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

Error too_large(const std::string& what, std::size_t size, std::size_t max) {
    return {Errc::invalid,
            what + " has " + number(size) + " bytes, at most " + number(max) + " are stored"};
}

}  // namespace

Result<Done> check_append(const LogPosition& last, const std::vector<LogEntry>& entries) {
    auto seq = last.seq;
    for (const auto& entry : entries) {
        if (seq >= seq_max || entry.position.seq != seq + 1)
            return Error{Errc::conflict, "entry " + number(entry.position.seq) +
                                             " does not follow entry " + number(seq)};
        if (entry.body.size() > entry_body_max)
            return too_large("entry " + number(entry.position.seq), entry.body.size(),
                             entry_body_max);
        ++seq;
    }
    return Done{};
}

Result<Done> check_snapshot(const LogEntry& snapshot) {
    if (snapshot.position.seq == 0)
        return Error{Errc::invalid, "a snapshot needs the position of the entry it goes up to"};
    if (snapshot.position.seq > seq_max)
        return Error{Errc::invalid, "the snapshot goes up to entry " +
                                        number(snapshot.position.seq) + ", the last one can be " +
                                        number(seq_max)};
    if (snapshot.body.size() > snapshot_body_max)
        return too_large("the snapshot", snapshot.body.size(), snapshot_body_max);
    return Done{};
}

Result<bool> check_truncate(const Extent& extent, std::uint64_t seq) {
    if (seq >= extent.last.seq) return false;
    if (seq < extent.snapshot.seq)
        return Error{Errc::conflict, "cannot cut the log after entry " + number(seq) +
                                         ": the snapshot covers everything up to " +
                                         number(extent.snapshot.seq)};
    return true;
}

Result<Done> check_compact(const Extent& extent, const LogEntry& snapshot,
                           const std::optional<LogPosition>& known) {
    const auto seq = snapshot.position.seq;
    if (seq < extent.snapshot.seq || seq > extent.last.seq)
        return Error{Errc::conflict, "cannot compact to entry " + number(seq) + ": the log has " +
                                         number(extent.snapshot.seq) + " to " +
                                         number(extent.last.seq)};
    const auto& stored = seq == extent.snapshot.seq ? std::optional{extent.snapshot} : known;
    if (stored != snapshot.position)
        return Error{Errc::conflict, "cannot compact to entry " + number(seq) +
                                         ": the log has another entry of that number"};
    return Done{};
}

}  // namespace umbra::storage_queue
