#include "plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::ssh_tunnel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Mapping mapping(const std::string& name, std::uint16_t first, std::uint16_t last = 0) {
    return {name, name + ".cloud", first, last == 0 ? first : last, "10.0.0.1", 8000, "tcp", true};
}

Plan plan(std::vector<Mapping> mappings, std::vector<Channel> channels = {},
          const std::string& bind = "127.0.0.1") {
    return plan_of({"alpha", "1", 0, std::move(mappings), std::move(channels)}, bind);
}

TEST(SshPlan, AMappingListensAtTheServer) {
    const auto made = plan({mapping("crm", 8080)});
    EXPECT_THAT(made.refusals, IsEmpty());
    EXPECT_THAT(made.forwards, ElementsAre(Forward{Forward::Kind::remote, "127.0.0.1", 8080,
                                                   "10.0.0.1", 8000, "mapping crm"}));
}

TEST(SshPlan, ARangeIsAForwardForEachPort) {
    const auto made = plan({mapping("crm", 8080, 8082)});
    ASSERT_THAT(made.forwards, SizeIs(3));
    EXPECT_EQ(made.forwards[2].listen_port, 8082);
    EXPECT_EQ(made.forwards[2].connect_port, 8002);
}

TEST(SshPlan, ASuspendedMappingIsNoForwardAndNoRefusal) {
    auto suspended = mapping("crm", 8080);
    suspended.active = false;
    const auto made = plan({suspended});
    EXPECT_THAT(made.forwards, IsEmpty());
    EXPECT_THAT(made.refusals, IsEmpty());
}

TEST(SshPlan, OtherProtocolsAreRefusedByName) {
    auto web = mapping("web", 80);
    web.protocol = "tcp+tls";
    EXPECT_THAT(plan({web, mapping("crm", 8080)}).refusals,
                ElementsAre("mapping web is not served: ssh carries tcp, not tcp+tls"));
    EXPECT_THAT(plan({web, mapping("crm", 8080)}).forwards, SizeIs(1));
}

TEST(SshPlan, OfSeveralBackendsTheFirstThatIsNotDownIsUsed) {
    auto crm = mapping("crm", 8080);
    crm.backends = {{"10.0.0.1", 8000}, {"10.0.0.2", 8002}};
    EXPECT_EQ(plan({crm}).forwards.front().connect_host, "10.0.0.1");
    crm.backends[0].down = true;
    EXPECT_EQ(plan({crm}).forwards.front().connect_host, "10.0.0.2");
    EXPECT_EQ(plan({crm}).forwards.front().connect_port, 8002);
    crm.backends[1].down = true;
    EXPECT_EQ(plan({crm}).forwards.front().connect_host, "10.0.0.1")
        << "all are: as without probes";
}

TEST(SshPlan, WhatOnlyAProxyCouldSayIsRefused) {
    auto crm = mapping("crm", 8080);
    crm.proxy_v2 = true;
    EXPECT_THAT(plan({crm}).refusals,
                ElementsAre("mapping crm is not served: ssh cannot send the PROXY protocol"));
}

TEST(SshPlan, TwoMappingsOfOnePortNeedAddressesOfTheirOwn) {
    const auto same = plan({mapping("crm", 8080), mapping("erp", 8080)});
    EXPECT_THAT(same.forwards, SizeIs(1));
    EXPECT_THAT(same.refusals,
                ElementsAre("mapping erp is not served: mapping crm has 127.0.0.1:8080 already; "
                            "bind = \"virtual\" gives each virtual host its own address"));
    const auto own = plan({mapping("crm", 8080), mapping("erp", 8080)}, {}, "virtual");
    EXPECT_THAT(own.refusals, IsEmpty());
    EXPECT_EQ(own.forwards[1].listen_host, "erp.cloud");
}

TEST(SshPlan, AChannelListensHere) {
    const auto made = plan({}, {{"db", "[::1]:5433", "db.cloud:5432"}});
    EXPECT_THAT(made.forwards, ElementsAre(Forward{Forward::Kind::local, "::1", 5433, "db.cloud",
                                                   5432, "channel db"}));
    EXPECT_EQ(to_text("::1", 5433), "[::1]:5433");
}

TEST(SshPlan, AChannelAndAMappingMayHaveTheSamePort) {
    EXPECT_THAT(plan({mapping("crm", 8080)}, {{"db", "127.0.0.1:8080", "db:1"}}).forwards,
                SizeIs(2));
}

TEST(SshPlan, TheLimitOfPortsIsServedAndOneMoreIsRefused) {
    const auto last = static_cast<std::uint16_t>(1000 + forwards_max - 1);
    EXPECT_THAT(plan({mapping("crm", 1000, last)}).forwards, SizeIs(forwards_max));
    const auto full = plan({mapping("crm", 1000, last), mapping("erp", 80)});
    EXPECT_THAT(full.forwards, SizeIs(forwards_max));
    EXPECT_THAT(full.refusals,
                ElementsAre(HasSubstr("erp is not served: a tunnel has at most 256")));
    const auto wide = plan({mapping("crm", 1000, static_cast<std::uint16_t>(last + 1))});
    EXPECT_THAT(wide.forwards, IsEmpty()) << "all of a mapping or nothing";
    EXPECT_THAT(plan({mapping("crm", 1, 65535)}).refusals, SizeIs(1));
}

TEST(SshPlan, ARangePastTheLastInternalPortIsRefused) {
    auto range = mapping("crm", 1000, 1002);
    range.internal_port = 65533;
    EXPECT_THAT(plan({range}).forwards, SizeIs(3));
    range.internal_port = 65534;
    EXPECT_THAT(plan({range}).refusals, ElementsAre(HasSubstr("past the last port")));
}

}  // namespace
}  // namespace umbra::ssh_tunnel
