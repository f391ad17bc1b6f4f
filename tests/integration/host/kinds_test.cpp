#include "integration/host/support.hpp"

#include <cstddef>
#include <cstring>

namespace umbra::host::test {
namespace {

/// Every operation of every kind with every argument, over the border and back.
class KindsTest : public PluginTest {
protected:
    template <class T>
    T value(Answer<T>& answer) {
        loop.run_queued();
        if (!answer.here() || !answer.result->ok()) {
            ADD_FAILURE() << (answer.here() ? answer.error().message : "no answer");
            return T{};
        }
        EXPECT_EQ(answer.calls, 1);
        return std::move(**answer.result);
    }
    void stop(InstanceHandle& handle) {
        Answer<Done> stopped;
        handle.stop(Deadline::after(1s), stopped.callback());
        (void)value(stopped);
    }
    const Values none{"", 0};
    const Deadline soon = Deadline::after(1s);
};

TEST_F(KindsTest, Transport) {
    auto made =
        TransportHandle::make(load("good", "umbra-transport-echo.so"), spec(none), surroundings());
    ASSERT_TRUE(made.ok()) << made.error().message;
    TransportHandle& transport = **made;
    const std::string binary("a\0\xff", 3);

    Answer<TransportOpened> opened;
    transport.open({"op", "or", "pp", "pr", "id", {"g1", "g2"}}, soon, opened.callback());
    const auto open = value(opened);
    EXPECT_EQ(open.identity, "id|g1;g2;");
    EXPECT_EQ(open.own_publish, "op|pp");
    EXPECT_EQ(open.own_respond, "or|pr");

    Answer<Done> reconfigured, published, answered, ponged;
    transport.reconfigure({}, soon, reconfigured.callback());
    loop.run_queued();
    EXPECT_EQ(reconfigured.error(), (Error{Errc::conflict,
                                           "transport main (echo 1.0.0): reconfigure failed: no "
                                           "guests"}));

    Answer<Frames> requested, introduced;
    transport.request({"1", "", binary}, soon, requested.callback());
    EXPECT_EQ(value(requested), (Frames{binary, "", "1"}));
    transport.introduce("respond", "server", "secret", {"hello"}, soon, introduced.callback());
    EXPECT_EQ(value(introduced), (Frames{"respond", "server", "secret", "hello"}));
    Answer<Minted> minted;
    transport.mint(soon, minted.callback());
    EXPECT_EQ(value(minted).secret, "secret");

    Answer<TransportEvent> update, asked, pong;
    transport.next_event(Deadline::none(), update.callback());
    loop.run_queued();
    EXPECT_FALSE(update.here());
    transport.publish({binary}, soon, published.callback());
    (void)value(published);
    const auto event = value(update);
    EXPECT_EQ(event.type, TransportEvent::Type::update);
    EXPECT_EQ(event.frames, Frames{binary});
    EXPECT_EQ(event.detail, "published");

    transport.answer(77, {}, soon, answered.callback());
    (void)value(answered);
    transport.next_event(Deadline::none(), asked.callback());
    const auto question = value(asked);
    EXPECT_EQ(question.type, TransportEvent::Type::asked);
    EXPECT_EQ(question.id, 77u);
    EXPECT_EQ(question.identity, "guest");
    EXPECT_EQ(question.count, 3u);
    EXPECT_TRUE(question.frames.empty());

    transport.set_pong("ping", {"p1", "p2"}, soon, ponged.callback());
    transport.next_event(Deadline::none(), pong.callback());
    EXPECT_EQ(value(pong).frames, (Frames{"ping", "p1", "p2"}));
    stop(transport);
}

TEST_F(KindsTest, Storage) {
    auto made = StorageHandle::make(load("good", "umbra-storage-memory.so"), spec(none, ""),
                                    surroundings());
    ASSERT_TRUE(made.ok()) << made.error().message;
    StorageHandle& storage = **made;
    EXPECT_EQ(storage.label(), "storage memory 1.0.0");
    const auto entry = [](std::uint64_t seq) {
        LogEntry e{{seq, 3, {}}, std::string("body\0", 5) + std::to_string(seq)};
        e.position.hash.fill(std::byte{0xa5});
        return e;
    };
    Answer<Done> appended, gap, truncated, compacted, installed;
    storage.append({entry(1), entry(2), entry(3)}, soon, appended.callback());
    (void)value(appended);
    storage.append({entry(5)}, soon, gap.callback());
    loop.run_queued();
    EXPECT_EQ(gap.error(),
              (Error{Errc::conflict, "storage memory 1.0.0: append failed: the last entry is 3"}));

    Answer<std::vector<LogEntry>> two, rest;
    storage.read(2, 1, soon, two.callback());
    EXPECT_EQ(value(two), std::vector{entry(2)});
    storage.truncate(2, soon, truncated.callback());
    storage.compact(entry(1), soon, compacted.callback());
    storage.read(0, 10, soon, rest.callback());
    EXPECT_EQ(value(rest), std::vector{entry(2)});
    Answer<LogEntry> snapshot;
    storage.read_snapshot(soon, snapshot.callback());
    EXPECT_EQ(value(snapshot), entry(1));
    storage.install(entry(9), soon, installed.callback());
    Answer<StorageOpened> opened;
    storage.open(soon, opened.callback());
    const auto open = value(opened);
    EXPECT_EQ(open.last, entry(9).position);
    EXPECT_EQ(open.snapshot, entry(9).position);
    EXPECT_EQ(open.detail, "opened");
    stop(storage);
}

/// A host that is older knows less of a mapping, one that is newer more: neither may shift the
/// next.
TEST_F(KindsTest, MappingsOfAnotherHostAreReadByTheirSize) {
    struct Newer {
        umbra_mapping known;
        std::uint64_t unknown;
    };
    const auto mapping = [](std::size_t size, std::string_view name) {
        umbra_mapping m{};
        m.struct_size = static_cast<std::uint32_t>(size);
        m.name = detail::to_str(name);
        m.protocol = detail::to_str("tcp");
        m.proxy_v2 = 1;
        return m;
    };
    const Newer newer[] = {{mapping(sizeof(Newer), "a"), 7}, {mapping(sizeof(Newer), "b"), 7}};
    constexpr std::size_t old_size = offsetof(umbra_mapping, backends);
    alignas(umbra_mapping) unsigned char older[2 * old_size];
    for (const int i : {0, 1}) {
        const auto m = mapping(old_size, i == 0 ? "a" : "b");
        std::memcpy(older + static_cast<std::size_t>(i) * old_size, &m, old_size);
    }
    umbra_tunnel_spec spec{};
    spec.mapping_count = 2;
    spec.mappings = &newer[0].known;
    const TunnelSpec from_newer = detail::decode(spec);
    EXPECT_EQ(from_newer.mappings[1].name, "b");
    EXPECT_TRUE(from_newer.mappings[1].proxy_v2);
    spec.mappings = reinterpret_cast<const umbra_mapping*>(older);
    const TunnelSpec from_older = detail::decode(spec);
    EXPECT_EQ(from_older.mappings[1].name, "b");
    EXPECT_FALSE(from_older.mappings[1].proxy_v2);
}

TEST_F(KindsTest, Tunnel) {
    auto made =
        TunnelHandle::make(load("good", "umbra-tunnel-echo.so"), spec(none), surroundings());
    ASSERT_TRUE(made.ok()) << made.error().message;
    TunnelHandle& tunnel = **made;
    EXPECT_TRUE(tunnel.fences());
    const auto next = [&] {
        Answer<TunnelEvent> event;
        tunnel.next_event(Deadline::none(), event.callback());
        return value(event);
    };
    const auto expect_done = [&](Answer<Done>&& answer) { (void)value(answer); };

    const TunnelSpec all{"alpha",
                         "i1",
                         4,
                         {{"crm", "crm.cloud", 8000, 8010, "10.0.0.1", 80, "tcp+tls", false},
                          {"web", "web.cloud", 443, 443, "::1", 8443, "http", true}},
                         {{"db", "127.0.0.1:5433", "db.cloud:5432"}}};
    Answer<Done> done;
    tunnel.open(all, soon, done.callback());
    expect_done(std::move(done));
    EXPECT_EQ(next().detail,
              "open alpha i1 4 [crm crm.cloud:8000-8010 10.0.0.1:80 tcp+tls off] [web "
              "web.cloud:443-443 ::1:8443 http] {db 127.0.0.1:5433 db.cloud:5432}");
    Answer<Done> configured;
    tunnel.configure({"alpha", "i1", 5, {}, {}}, soon, configured.callback());
    expect_done(std::move(configured));
    EXPECT_EQ(next().detail, "configure alpha i1 5");

    Mapping web{"web", "web.cloud", 443, 443, "a", 1, "http+tls", true};
    web.backends = {{"a", 1}, {"b", 2, true}};
    web.tls = {"name", "/ca", "pin"};
    web.proxy_v2 = web.rewrite_host = true;
    web.resources = {{"api", "/api", true, {"GET", "PUT"}, false, true},
                     {"live", "/live", false, {}, true, false}};
    Answer<Done> again;
    tunnel.configure({"alpha", "i1", 5, {web, web}, {}}, soon, again.callback());
    expect_done(std::move(again));
    const std::string told =
        " [web web.cloud:443-443 a:1 http+tls a:1 b:2 down name /ca pin proxy host <api /api below "
        "GET PUT> <live /live upgrade off>]";
    EXPECT_EQ(next().detail, "configure alpha i1 5" + told + told);

    Answer<ClaimResult> claimed, denied, forced;
    tunnel.claim(6, ClaimReason::first, soon, claimed.callback());
    const auto claim = value(claimed);
    EXPECT_TRUE(claim.granted);
    EXPECT_EQ(claim.reg,
              (RegisterView{true, 6, "alpha", true, 9, {{"alpha", "i1"}, {"beta", "i2"}}, 38ms}));
    tunnel.claim(6, ClaimReason::peer_silent, soon, denied.callback());
    const auto refusal = value(denied);
    EXPECT_FALSE(refusal.granted);
    EXPECT_EQ(refusal.detail, "holder alpha was heard 38 ms ago");
    tunnel.claim(6, ClaimReason::forced, soon, forced.callback());
    loop.run_queued();
    EXPECT_EQ(forced.error().message, "tunnel main (echo 1.0.0): claim failed: no force, please");

    Answer<Done> activated, drained, synced, enrolled, rotated, consented;
    tunnel.activate(7, soon, activated.callback());
    expect_done(std::move(activated));
    const auto active = next();
    EXPECT_EQ(active.detail, "activate 7");
    EXPECT_EQ(active.state, TunnelState::active);
    tunnel.drain(30s, soon, drained.callback());
    expect_done(std::move(drained));
    EXPECT_EQ(next().detail, "drain 30000000000");
    tunnel.set_in_sync(7, 12, {{"alpha", "i1"}}, soon, synced.callback());
    expect_done(std::move(synced));
    const auto event = next();
    EXPECT_EQ(event.type, TunnelEvent::Type::reg);
    EXPECT_EQ(event.links, 2u);
    EXPECT_EQ(event.streams, 5u);
    EXPECT_EQ(event.count, 7u);
    EXPECT_EQ(event.reg, (RegisterView{true, 7, "alpha", false, 12, {{"alpha", "i1"}}, {}}));
    tunnel.enrol("token", soon, enrolled.callback());
    expect_done(std::move(enrolled));
    EXPECT_EQ(next().detail, "enrol token");
    tunnel.rotate_key(soon, rotated.callback());
    expect_done(std::move(rotated));
    EXPECT_EQ(next().detail, "rotate key");
    Answer<std::vector<TunnelCheck>> checked;
    tunnel.check(soon, checked.callback());
    EXPECT_EQ(value(checked), (std::vector<TunnelCheck>{{TunnelCheck::Kind::mapping, "crm", "a:1",
                                                         TunnelCheck::Outcome::ok, 3ms, ""},
                                                        {TunnelCheck::Kind::channel,
                                                         "db",
                                                         "b:2",
                                                         TunnelCheck::Outcome::skipped,
                                                         {},
                                                         "not active"}}));
    tunnel.consent(7, "beta", soon, consented.callback());
    loop.run_queued();
    EXPECT_EQ(consented.error(),
              (Error{Errc::unsupported,
                     "tunnel main (echo 1.0.0): consent failed: this provider has no register"}));
    stop(tunnel);
}

}  // namespace
}  // namespace umbra::host::test
