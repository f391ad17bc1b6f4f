#include <umbra/sdk/export.hpp>
#include <umbra/sdk/storage.hpp>

namespace {

using umbra::Done;
using umbra::Errc;
using umbra::LogEntry;
using umbra::Reply;

struct Options {};

/// Always empty, and says so.
class ReadOnly final : public umbra::ConfigStorage {
public:
    static constexpr umbra::PluginInfo info{"smallest", "1.0.0", "Always empty."};
    static constexpr auto schema = umbra::options<Options>();

    ReadOnly(umbra::Context, Options) {}

    void open(Reply<umbra::StorageOpened> reply) override { reply.ok({}); }
    void append(std::vector<LogEntry>, Reply<Done> reply) override { full(reply); }
    void read(std::uint64_t, std::size_t, Reply<std::vector<LogEntry>> reply) override {
        reply.ok({});
    }
    void read_snapshot(Reply<LogEntry> reply) override { reply.ok({}); }
    void truncate(std::uint64_t, Reply<Done> reply) override { reply.ok(); }
    void install(LogEntry, Reply<Done> reply) override { full(reply); }
    void compact(LogEntry, Reply<Done> reply) override { full(reply); }

private:
    static void full(Reply<Done>& reply) { reply.fail(Errc::exhausted, "there is no room at all"); }
};

}  // namespace

UMBRA_PLUGIN(ReadOnly)
