// A cluster that goes away, comes back, is full, damaged or shared.

#include "integration/storage_etcd/cutting_proxy.hpp"
#include "integration/storage_etcd/etcd_fixture.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

namespace umbra::plugin_test {
namespace {

using std::chrono::steady_clock;

class EtcdFaults : public EtcdTest {
protected:
    Result<StorageOpened> reopen() { return open(options_); }

    EtcdServer server_;
    OptionValues options_ = options_for(server_);
};

TEST_F(EtcdFaults, RestartsOfEtcdMidWayLoseNothingAndDoNothingTwice) {
    ASSERT_TRUE(reopen().ok());
    constexpr std::uint64_t count = 600;
    std::vector<Pending<Done>> open;
    for (std::uint64_t seq = 1; seq <= count; ++seq) {
        open.push_back(storage().append({entry_of(seq)}));
        ASSERT_TRUE(seq % 10 != 0 || open[seq - 10].get().ok());
        if (seq % 150 != 0) continue;
        server_.kill();
        server_.start();
    }
    for (const auto& pending : open) {
        const auto answer = pending.get();
        ASSERT_TRUE(answer.ok()) << answer.error().message;
    }
    ASSERT_TRUE(storage().compact(entry_of(10, std::string(2'000'000, 's'))).get().ok());
    EXPECT_TRUE(*storage().read(1, SIZE_MAX).get() == entries_of(11, count));
    EXPECT_EQ(reopen()->last, position_of(count));
    EXPECT_TRUE(*storage().read(1, SIZE_MAX).get() == entries_of(11, count));
}

TEST_F(EtcdFaults, ALostAnswerIsFoundOutAndNothingIsDoneTwice) {
    CuttingProxy proxy{server_.port()};
    options_["endpoints"] = std::vector<std::string>{proxy.url()};
    ASSERT_TRUE(reopen().ok());
    for (std::uint64_t seq = 1; seq <= 10; ++seq) {
        proxy.lose_answers(seq % 3 == 0 ? 2 : 1);
        const auto answer = append(seq, seq);
        ASSERT_TRUE(answer.ok()) << answer.error().message;
    }
    EXPECT_EQ(proxy.lost(), 13);
    proxy.lose_answers(1);
    ASSERT_TRUE(storage().compact(entry_of(4, std::string(3'000'000, 's'))).get().ok());
    proxy.lose_answers(1);
    ASSERT_TRUE(storage().truncate(8).get().ok());
    EXPECT_EQ(*storage().read(1, 99).get(), entries_of(5, 8));
    EXPECT_EQ(reopen()->last, position_of(8));
    EXPECT_EQ(*storage().read(1, 99).get(), entries_of(5, 8));
}

TEST_F(EtcdFaults, WhatWasAcknowledgedSurvivesTheEndOfBoth) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 5).ok());
    server_.kill();
    storage_.reset();
    server_.start();
    EXPECT_EQ(reopen()->last, position_of(5));
    EXPECT_EQ(*storage().read(1, 9).get(), entries_of(1, 5));
}

TEST_F(EtcdFaults, AnAnswerThatDoesNotComeIsATimeoutAndFinal) {
    options_["request_timeout"] = second / 5;
    options_["patience"] = second / 2;
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 2).ok());
    server_.signal(SIGSTOP);
    expect_error(append(3, 3), Errc::timeout, "whether the change was stored is unknown");
    server_.signal(SIGCONT);
    EXPECT_EQ(append(3, 3).error().code, Errc::timeout) << "nobody knows what is there";
    EXPECT_EQ(storage().read(1, 1).get().error().code, Errc::timeout);
    options_["patience"] = 20 * second;
    const auto opened = reopen();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_GE(opened->last.seq, 2u);
    EXPECT_LE(opened->last.seq, 3u);
    const auto next = opened->last.seq + 1;
    ASSERT_TRUE(append(next, next + 1).ok());
    EXPECT_EQ(*storage().read(1, 9).get(), entries_of(1, next + 1));
}

TEST_F(EtcdFaults, AMemberThatIsNotThereIsNamedAfterThePatience) {
    options_["patience"] = second / 2;
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 1).ok());
    server_.kill();
    const auto began = steady_clock::now();
    expect_error(append(2, 2), Errc::unavailable, server_.url() + ": cannot connect");
    EXPECT_LT(steady_clock::now() - began, std::chrono::seconds{20});
    server_.start();
    options_["patience"] = 30 * second;
    const auto opened = reopen();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->last.seq, 1u);
    storage_.reset();
    server_.kill();
    options_["patience"] = std::int64_t{0};
    expect_error(reopen(), Errc::unavailable, "no member of etcd could answer");
}

TEST_F(EtcdFaults, EndpointsAreTriedInOrder) {
    const std::string nobody = "http://127.0.0.1:1";
    options_["endpoints"] =
        std::vector<std::string>{nobody, "http://no-such-host.invalid:2379", server_.url()};
    options_["patience"] = std::int64_t{0};
    const auto opened = reopen();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_TRUE(append(1, 1).ok());
}

TEST_F(EtcdFaults, StopDoesNotWaitForACluster) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 1).ok());
    server_.kill();
    std::vector<Pending<Done>> open;
    for (std::uint64_t seq = 2; seq < 6; ++seq) open.push_back(storage().append({entry_of(seq)}));
    const auto began = steady_clock::now();
    EXPECT_TRUE(storage().stop().get().ok());
    EXPECT_LT(steady_clock::now() - began, std::chrono::seconds{15}) << "patience is 30 s";
    for (const auto& pending : open) {
        ASSERT_TRUE(pending.ready());
        EXPECT_EQ(pending.get().error().code, Errc::closed);
    }
}

TEST_F(EtcdFaults, AFullStoreIsExhaustedAndNothingIsHalfDone) {
    EtcdServer small{false, {"--quota-backend-bytes=8388608"}};
    options_ = options_for(small);
    ASSERT_TRUE(reopen().ok());
    const auto large = [](std::uint64_t seq) {
        return entry_of(seq, std::string(1'800'000, static_cast<char>('a' + seq)));
    };
    std::uint64_t last = 0;
    for (;;) {
        const auto answer = storage().append({large(last + 1)}).get();
        if (!answer.ok()) {
            expect_error(answer, Errc::exhausted, "make space in etcd");
            break;
        }
        ASSERT_LT(++last, 20u);
    }
    ASSERT_GT(last, 0u);
    EXPECT_EQ(storage().read(1, 50).get()->size(), last);
    expect_error(storage().append({large(last + 1)}).get(), Errc::exhausted, "space");
    // Space, as an operator makes it.
    const auto status = small.control("get /test/head --write-out=json");
    const auto at = status.find("\"revision\":") + 11;
    (void)small.control("compact --physical " + status.substr(at, status.find(',', at) - at));
    (void)small.control("del --prefix /test/entry/" + std::string(19, '0') +
                        std::to_string(last + 1));
    (void)small.control("defrag");
    (void)small.control("alarm disarm");
    ASSERT_TRUE(storage().install(entry_of(last, "all of it")).get().ok());
    ASSERT_TRUE(append(last + 1, last + 2).ok());
    EXPECT_EQ(reopen()->last.seq, last + 2);
    EXPECT_EQ(*storage().read(1, 9).get(), entries_of(last + 1, last + 2));
}

TEST_F(EtcdFaults, APrefixOfAnotherInstanceIsRefusedUntilItIsAdopted) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 3).ok());
    const TemporaryDirectory elsewhere;
    StorageDriver other{plugin(), elsewhere.path(), options_};
    expect_error(other.open().get(), Errc::conflict, "belongs to instance \"test\"");
    ASSERT_TRUE(append(4, 4).ok()) << "the owner goes on";

    StorageDriver heir{plugin(), elsewhere.path(), with(options_, "adopt", std::int64_t{1})};
    const auto adopted = heir.open().get();
    ASSERT_TRUE(adopted.ok()) << adopted.error().message;
    EXPECT_EQ(adopted->detail, "took over the prefix /test/ in etcd from instance \"test\"");
    EXPECT_EQ(adopted->last, position_of(4));
    expect_error(append(5, 5), Errc::conflict, "was taken over");
    EXPECT_EQ(storage().truncate(1).get().error().code, Errc::conflict) << "for ever";
    ASSERT_TRUE(heir.append({entry_of(5, "of the heir")}).get().ok());
    expect_error(reopen(), Errc::conflict, "belongs to");
    EXPECT_EQ(heir.read(5, 1).get()->front().body, "of the heir");
}

TEST_F(EtcdFaults, LargeAppendOfAPrefixThatWasTakenOverLeavesNothing) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 1).ok());
    const TemporaryDirectory elsewhere;
    StorageDriver heir{plugin(), elsewhere.path(), with(options_, "adopt", std::int64_t{1})};
    ASSERT_TRUE(heir.open().get().ok());
    const auto before = server_.control("get --prefix /test/ --keys-only");
    const auto large = entry_of(2, std::string(3'000'000, 'l'));
    expect_error(storage().append({large}).get(), Errc::conflict, "was taken over");
    EXPECT_EQ(server_.control("get --prefix /test/ --keys-only"), before);
}

TEST_F(EtcdFaults, WhatDoesNotCountIsSweptAtTheStart) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 2).ok());
    ASSERT_TRUE(storage().compact(entry_of(1, "one")).get().ok());
    storage_.reset();
    const auto before = server_.control("get --prefix /test/ --keys-only");
    const std::string zeros(19, '0');
    (void)server_.control("put /test/entry/" + zeros + "3 half");
    (void)server_.control("put /test/snapshot/" + zeros + "9/0000 half");
    ASSERT_TRUE(reopen().ok());
    EXPECT_EQ(server_.control("get --prefix /test/ --keys-only"), before);
    ASSERT_TRUE(append(3, 3).ok());
    EXPECT_EQ(*storage().read(1, 9).get(), entries_of(2, 3));
}

TEST_F(EtcdFaults, DamageIsNamedWithItsKey) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 5).ok());
    const auto key = "/test/entry/" + std::string(19, '0') + "3";
    const auto value = server_.control("get --print-value-only " + key);
    auto changed = value.substr(0, value.size() - 1);
    changed[changed.size() - 2] ^= 1;
    (void)server_.control("put " + key + " -- '" + changed + "'");
    const auto read = storage().read(1, 9).get();
    ASSERT_FALSE(read.ok());
    expect_error(Result<Done>{read.error()}, Errc::data_loss, key + " in etcd");
    EXPECT_EQ(append(6, 6).error().code, Errc::data_loss) << "for ever";
    ASSERT_TRUE(reopen().ok());
    (void)server_.control("del " + key);
    const auto missing = storage().read(1, 9).get();
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().code, Errc::data_loss) << missing.error().message;
}

TEST_F(EtcdFaults, ADamagedOrLostHeadIsNotTakenForAFreshPrefix) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 2).ok());
    storage_.reset();
    (void)server_.control("put /test/head nonsense");
    expect_error(reopen(), Errc::data_loss, "the key /test/head in etcd is damaged");
    (void)server_.control("put /test/head 'umbra 2'");
    expect_error(reopen(), Errc::unsupported, "run the version that wrote it");
    (void)server_.control("del /test/head");
    expect_error(reopen(), Errc::data_loss, "has 2 keys, but not /test/head");
}

TEST_F(EtcdFaults, AnEtcdThatLostWhatWasDurableIsRefused) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 2).ok());
    storage_.reset();
    server_.kill();
    server_.forget();
    server_.start();
    expect_error(reopen(), Errc::data_loss, "were durable");
}

TEST_F(EtcdFaults, ALargeSnapshotComesBack) {
    ASSERT_TRUE(reopen().ok());
    std::string body(9'000'001, '\0');
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * i >> 7);
    for (std::uint64_t seq = 3; seq <= 4; ++seq) {
        const auto snapshot = entry_of(seq, body);
        ASSERT_TRUE(storage().install(snapshot).get().ok());
        EXPECT_TRUE(*storage().read_snapshot().get() == snapshot);
    }
    ASSERT_TRUE(reopen().ok());
    EXPECT_TRUE(storage().read_snapshot().get()->body == body);
}

TEST_F(EtcdFaults, AppendsInFlightShareATransaction) {
    ASSERT_TRUE(reopen().ok());
    const auto revision = [&] {
        const auto text = server_.control("get /test/head --write-out=json");
        return std::stoi(text.substr(text.find("\"revision\":") + 11));
    };
    const int before = revision();
    std::vector<Pending<Done>> open;
    for (std::uint64_t seq = 1; seq <= 300; ++seq)
        open.push_back(storage().append({entry_of(seq, "small")}));
    for (const auto& pending : open) ASSERT_TRUE(pending.get().ok());
    EXPECT_LT(revision() - before, 100);
}

}  // namespace
}  // namespace umbra::plugin_test
