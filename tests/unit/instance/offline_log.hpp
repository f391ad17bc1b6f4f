#pragma once

#include "offline_storage.hpp"
#include "sha256.hpp"
#include <umbra/core/log.hpp>

#include <cstdint>
#include <string>

namespace umbra::instance {

/// A log as an instance writes it: entries 1 to `last`, those up to `snapshot` as one. Its body is
/// opaque to everything that is tested with it.
inline StoredLog make_log(std::uint64_t last, std::uint64_t snapshot = 0) {
    core::Log log{&sha256};
    StoredLog stored;
    for (std::uint64_t seq = 1; seq <= last; ++seq) {
        core::Entry edit;
        edit.op_id = "op-" + std::to_string(seq);
        edit.author = "ann";
        edit.changes = {{"takeover.grace_period", "\"" + std::to_string(seq) + "s\""}};
        const core::Logged& logged = log.append(1 + seq / 100, std::move(edit));
        const auto& at = logged.position;
        LogEntry entry{{at.revision.seq, at.revision.epoch, at.hash}, logged.body};
        if (seq > snapshot) {
            stored.entries.push_back(std::move(entry));
        } else if (seq == snapshot) {
            stored.snapshot = LogEntry{entry.position, std::string("any\0bytes", 9)};
        }
    }
    return stored;
}

}  // namespace umbra::instance
