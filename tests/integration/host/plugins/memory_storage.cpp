// A config storage without a disk: what goes in comes out, which is what the border is tested with.
#include <umbra/sdk/export.hpp>
#include <umbra/sdk/storage.hpp>

namespace {

using umbra::Done;
using umbra::LogEntry;
using umbra::Reply;

struct Options {};

class Memory final : public umbra::ConfigStorage {
public:
    static constexpr umbra::PluginInfo info{"memory", "1.0.0", "Forgets at exit."};
    static constexpr auto schema = umbra::options<Options>();

    Memory(umbra::Context, Options) {}

    void open(Reply<umbra::StorageOpened> reply) override {
        reply.ok({last(), snapshot_.position, "opened"});
    }
    void append(std::vector<LogEntry> entries, Reply<Done> reply) override {
        for (auto& entry : entries) {
            if (entry.position.seq != last().seq + 1)
                return reply.fail(umbra::Errc::conflict,
                                  "the last entry is " + std::to_string(last().seq));
            entries_.push_back(std::move(entry));
        }
        reply.ok();
    }
    void read(std::uint64_t from_seq, std::size_t max,
              Reply<std::vector<LogEntry>> reply) override {
        std::vector<LogEntry> found;
        for (const auto& entry : entries_)
            if (entry.position.seq >= from_seq && found.size() < max) found.push_back(entry);
        reply.ok(found);
    }
    void read_snapshot(Reply<LogEntry> reply) override { reply.ok(snapshot_); }
    void truncate(std::uint64_t seq, Reply<Done> reply) override {
        std::erase_if(entries_, [&](const LogEntry& entry) { return entry.position.seq > seq; });
        reply.ok();
    }
    void install(LogEntry snapshot, Reply<Done> reply) override {
        entries_.clear();
        snapshot_ = std::move(snapshot);
        reply.ok();
    }
    void compact(LogEntry snapshot, Reply<Done> reply) override {
        const auto to = snapshot.position.seq;
        std::erase_if(entries_, [&](const LogEntry& entry) { return entry.position.seq <= to; });
        snapshot_ = std::move(snapshot);
        reply.ok();
    }

private:
    [[nodiscard]] umbra::LogPosition last() const {
        return entries_.empty() ? snapshot_.position : entries_.back().position;
    }
    LogEntry snapshot_;
    std::vector<LogEntry> entries_;
};

}  // namespace

UMBRA_PLUGIN(Memory)
