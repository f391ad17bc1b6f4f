#include "initial_import.hpp"

#include "sha256.hpp"

#include <chrono>
#include <utility>

namespace umbra::instance {

namespace {

core::Entry begin_entry(const std::string& file) {
    core::Entry entry;
    entry.op_id = random_hex(16);
    entry.author = "umbra";
    entry.message = "imported " + file;
    entry.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
    return entry;
}

std::size_t bytes_of(const core::Change& change) {
    core::Entry entry;
    const std::size_t around = core::bytes_at_most(entry);
    entry.changes = {change};
    return core::bytes_at_most(entry) - around;
}

}  // namespace

Result<std::vector<core::Entry>> import_entries(std::vector<core::Change> changes,
                                                const std::string& file) {
    const core::Entry empty = begin_entry(file);
    // What is said of one of several comes on top.
    const std::size_t room = core::Log::entry_bytes_max - core::bytes_at_most(empty) -
                             std::string{" (n of n)"}.size() -
                             2 * std::to_string(changes.size()).size();
    std::vector<core::Entry> entries;
    std::size_t used = 0;
    for (auto& change : changes) {
        const std::size_t needs = bytes_of(change);
        if (needs > room) {
            return Error{Errc::invalid, file + ": the value of " + change.key + " takes " +
                                            std::to_string(needs) + " bytes, at most " +
                                            std::to_string(room) + " fit into one edit"};
        }
        if (entries.empty() || used + needs > room ||
            entries.back().changes.size() == core::Log::changes_max) {
            entries.push_back(begin_entry(file));
            used = 0;
        }
        used += needs;
        entries.back().changes.push_back(std::move(change));
    }
    for (std::size_t i = 0; entries.size() > 1 && i < entries.size(); ++i) {
        entries[i].message +=
            " (" + std::to_string(i + 1) + " of " + std::to_string(entries.size()) + ")";
    }
    return entries;
}

}  // namespace umbra::instance
