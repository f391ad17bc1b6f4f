#include "integration/plugin/storage_script.hpp"

#include <algorithm>

namespace umbra::plugin_test {

namespace {

ScriptStep append(std::uint64_t first, std::uint64_t last, std::size_t size) {
    std::vector<LogEntry> entries;
    for (auto seq = first; seq <= last; ++seq)
        entries.push_back(entry_of(seq, std::string(size, static_cast<char>('a' + seq % 26))));
    return {"append " + std::to_string(first) + " to " + std::to_string(last),
            [entries](StorageDriver& storage) { return storage.append(entries); },
            [entries](StorageContent& content) {
                content.entries.insert(content.entries.end(), entries.begin(), entries.end());
            },
            true};
}

ScriptStep truncate(std::uint64_t seq) {
    return {"truncate to " + std::to_string(seq),
            [seq](StorageDriver& storage) { return storage.truncate(seq); },
            [seq](StorageContent& content) {
                std::erase_if(content.entries,
                              [seq](const LogEntry& entry) { return entry.position.seq > seq; });
            }};
}

ScriptStep compact(const LogEntry& snapshot) {
    return {"compact to " + std::to_string(snapshot.position.seq),
            [snapshot](StorageDriver& storage) { return storage.compact(snapshot); },
            [snapshot](StorageContent& content) {
                content.snapshot = snapshot;
                std::erase_if(content.entries, [&](const LogEntry& entry) {
                    return entry.position.seq <= snapshot.position.seq;
                });
            }};
}

ScriptStep install(const LogEntry& snapshot) {
    return {"install " + std::to_string(snapshot.position.seq),
            [snapshot](StorageDriver& storage) { return storage.install(snapshot); },
            [snapshot](StorageContent& content) {
                content = {snapshot, {}};
            }};
}

}  // namespace

const std::vector<ScriptStep>& script() {
    static const std::vector<ScriptStep> steps{
        append(1, 1, 20),
        append(2, 4, 300),
        append(5, 5, 9000),
        truncate(4),
        append(5, 8, 150),
        compact(entry_of(6, "to six")),
        append(9, 9, 10),
        append(10, 20, 90),
        truncate(8),
        append(9, 9, 5000),
        install(entry_of(30, std::string(6000, 's'))),
        append(31, 33, 700),
        compact(entry_of(33, "all")),
        append(34, 34, 1),
    };
    return steps;
}

StorageContent content_after(std::size_t count) {
    StorageContent content;
    for (std::size_t i = 0; i < count; ++i) script()[i].apply(content);
    return content;
}

StorageContent read_content(StorageDriver& storage, std::string& why) {
    const auto snapshot = storage.read_snapshot().get();
    const auto entries = storage.read(1, SIZE_MAX).get();
    if (!snapshot.ok()) why = snapshot.error().message;
    if (!entries.ok()) why = entries.error().message;
    if (!snapshot.ok() || !entries.ok()) return {};
    return {snapshot.value(), entries.value()};
}

bool is_possible(const StorageContent& now, std::size_t acknowledged) {
    const auto before = content_after(acknowledged);
    if (now == before) return true;
    if (acknowledged == script().size()) return false;
    auto after = content_after(acknowledged + 1);
    if (script()[acknowledged].is_append) {
        if (now.entries.size() < before.entries.size()) return false;
        after.entries.resize(std::min(after.entries.size(), now.entries.size()));
    }
    return now == after;
}

Reported read_report(const std::string& out) {
    Reported reported;
    for (std::size_t at = 0; at < out.size();) {
        const auto end = std::min(out.find('\n', at), out.size());
        const auto line = out.substr(at, end - at);
        if (line == "open") reported.open = true;
        if (line == "ok") ++reported.acknowledged;
        if (line.rfind("no ", 0) == 0) {
            ++reported.refused;
            reported.last_refusal = static_cast<Errc>(std::stoi(line.substr(3)));
        }
        at = end + 1;
    }
    return reported;
}

std::string to_string(const StorageContent& content) {
    std::string text = "snapshot " + std::to_string(content.snapshot.position.seq) + ", entries";
    for (const auto& entry : content.entries)
        text += " " + std::to_string(entry.position.seq) + "(" + std::to_string(entry.body.size()) +
                " bytes)";
    return text;
}

}  // namespace umbra::plugin_test
