#include "integration/failpoint/trace.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace umbra::failpoint {

namespace {

constexpr std::size_t sector = 512;

}  // namespace

std::vector<Change> read_trace(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    const std::string all{std::istreambuf_iterator<char>{in}, {}};
    std::vector<Change> changes;
    for (std::size_t at = 0; at + sizeof(TraceHead) <= all.size();) {
        TraceHead head{};
        all.copy(reinterpret_cast<char*>(&head), sizeof head, at);
        at += sizeof head;
        if (head.name_size + head.bytes_size > all.size() - at) break;
        changes.push_back({head.op, all.substr(at, head.name_size), head.file, head.offset,
                           all.substr(at + head.name_size, head.bytes_size)});
        at += head.name_size + head.bytes_size;
    }
    return changes;
}

void TracedDisk::rename(Names& names, const Change& change) {
    switch (change.op) {
        case Op::create:
            names[change.name] = change.file;
            return;
        case Op::remove:
            names.erase(change.name);
            return;
        default:
            if (const auto node = names.extract(change.name)) names[change.bytes] = node.mapped();
    }
}

void TracedDisk::apply(const Change& change) {
    switch (change.op) {
        case Op::create:
            files_[change.file] = {};  // The number of a file that is gone may come again.
            [[fallthrough]];
        case Op::rename:
        case Op::remove:
            rename(names_, change);
            renames_.push_back(change);
            return;
        case Op::write: {
            auto& current = files_[change.file].content.current;
            if (current.size() < change.offset + change.bytes.size())
                current.resize(change.offset + change.bytes.size());
            current.replace(change.offset, change.bytes.size(), change.bytes);
            return;
        }
        case Op::resize: {
            auto& [content, before_cuts] = files_[change.file];
            if (change.offset < std::max(content.current.size(), content.durable.size())) {
                before_cuts.push_back(content);
                content.durable.resize(std::min(content.durable.size(), change.offset));
            }
            content.current.resize(change.offset);
            return;
        }
        case Op::sync: {
            auto& [content, before_cuts] = files_[change.file];
            content.durable = content.current;
            before_cuts.clear();
            return;
        }
        case Op::sync_names:
            durable_names_ = names_;
            renames_.clear();
            return;
        case Op::report:
            return;
    }
}

std::string TracedDisk::Content::after_loss(std::mt19937& random) const {
    const auto low = std::min(current.size(), durable.size());
    const auto high = std::max(current.size(), durable.size());
    const std::size_t lengths[] = {durable.size(), current.size(),
                                   low + random() % (high - low + 1)};
    std::string after(lengths[random() % 3], '\0');
    // Now and then all of it, or nothing, has reached the disk by itself.
    const auto luck = random() % 4;
    for (std::size_t at = 0; at < after.size(); at += sector) {
        const bool reached = luck == 0 || (luck != 1 && random() % 2 == 0);
        const auto& from = reached ? current : durable;
        if (at < from.size()) from.copy(after.data() + at, std::min(sector, after.size() - at), at);
    }
    return after;
}

void TracedDisk::lose_power(const std::string& directory, std::mt19937& random) const {
    auto names = durable_names_;
    const auto kept = random() % (renames_.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) rename(names, renames_[i]);
    for (const auto& [name, file] : names) {
        std::ofstream out{directory + "/" + name, std::ios::binary};
        const auto& [now, before_cuts] = files_.at(file);
        const auto cuts = random() % (before_cuts.size() + 1);  // So many of them have happened.
        const auto& chosen = cuts < before_cuts.size() ? before_cuts[cuts] : now;
        const auto content = chosen.after_loss(random);
        out.write(content.data(), static_cast<std::streamsize>(content.size()));
    }
}

}  // namespace umbra::failpoint
