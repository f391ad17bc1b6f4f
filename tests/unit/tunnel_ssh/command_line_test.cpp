#include "command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::ssh_tunnel {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

SshOptions options() {
    SshOptions o;
    o.address = "ssh.cloud.example:2222";
    o.user = "tunnel";
    o.identity_file = "/etc/umbra/id";
    o.host_keys = {"ssh-ed25519 AAAAC3Nz"};
    o.bind = "127.0.0.1";
    o.connect_timeout = 1500ms;
    o.alive_interval = 2s;
    o.program = "/usr/bin/ssh";
    return o;
}

std::string why(const SshOptions& o) {
    const auto checked = check(o);
    return checked.ok() ? "" : checked.error().message;
}

TEST(SshCommandLine, OnlyWhatIsGivenCounts) {
    const auto line = command_line(options(), "control-1", "/state/known_hosts");
    EXPECT_EQ(line.front(), "/usr/bin/ssh");
    EXPECT_EQ(line.back(), "ssh.cloud.example");
    EXPECT_EQ(line[line.size() - 2], "--");
    for (const char* option :
         {"BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=\"/state/known_hosts\"",
          "GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "IdentityAgent=none",
          "HostKeyAlias=umbra-tunnel", "ConnectTimeout=2", "ServerAliveInterval=2",
          "ServerAliveCountMax=3", "2222", "tunnel", "/etc/umbra/id", "-N", "-M", "control-1"})
        EXPECT_THAT(line, Contains(option));
}

TEST(SshCommandLine, AFileOfTheUserNamesTheServerAsItIs) {
    auto o = options();
    o.host_keys.clear();
    o.known_hosts = "/etc/umbra/known_hosts";
    EXPECT_EQ(why(o), "");
    EXPECT_THAT(command_line(o, "c", *o.known_hosts), Not(Contains("HostKeyAlias=umbra-tunnel")));
}

TEST(SshCommandLine, Ipv6HasNoBrackets) {
    auto o = options();
    o.address = "[2001:db8::1]:22";
    EXPECT_EQ(command_line(o, "c", "k").back(), "2001:db8::1");
}

TEST(SshCommandLine, OwnOptionsComeBeforeTheExtraOnes) {
    auto o = options();
    o.extra = {"Compression=yes"};
    EXPECT_EQ(why(o), "");
    const auto line = command_line(o, "c", "k");
    const auto at = [&](const std::string& word) {
        return std::find(line.begin(), line.end(), word) - line.begin();
    };
    EXPECT_LT(at("ServerAliveInterval=2"), at("Compression=yes"));
    EXPECT_LT(at("Compression=yes"), at("--"));
}

TEST(SshCommandLine, ExtraOptionsThatCouldUndoSomethingAreRefused) {
    auto o = options();
    for (const char* entry :
         {"ProxyCommand=/bin/sh", "LocalCommand=x", "StrictHostKeyChecking=no", "Include=/x",
          "controlpath=/x", "KnownHostsCommand=/bin/x", "RemoteForward=1 2:3", "Match=all"}) {
        o.extra = {entry};
        EXPECT_THAT(why(o), HasSubstr("may not be changed here; these may: AddressFamily"))
            << entry;
    }
    for (const char* entry : {"Compression", "Compression=", "=yes", "Ciphers=a\nProxyCommand=b"}) {
        o.extra = {entry};
        EXPECT_NE(why(o), "") << entry;
    }
    o.extra = {"ciphers=aes128-ctr"};
    EXPECT_EQ(why(o), "") << "keywords have no case";
}

TEST(SshCommandLine, SomebodyHasToNameTheHostKey) {
    auto o = options();
    o.host_keys.clear();
    EXPECT_THAT(why(o), HasSubstr("known_hosts or host_keys is needed"));
    o = options();
    o.known_hosts = "/k";
    EXPECT_THAT(why(o), HasSubstr("both given"));
    for (const char* key : {"AAAAC3Nz", "ssh-ed25519", "host ssh-ed25519 AAAA", "ssh-rsa AAAA\nx",
                            "ssh-ed25519 BBBB"}) {
        o = options();
        o.host_keys = {key};
        EXPECT_THAT(why(o), HasSubstr("is no host key")) << key;
    }
}

TEST(SshCommandLine, WhatSshWouldReadAsSomethingElseIsRefused) {
    for (const char* user : {"", "-oProxyCommand=x", "a b", "a@b", "$(x)", "a;b", "%h"}) {
        auto o = options();
        o.user = user;
        EXPECT_THAT(why(o), HasSubstr("is no name of a user")) << user;
    }
    for (const char* file : {"/etc/%h", "~/id", "/a\"b", "/${HOME}/id"}) {
        auto o = options();
        o.identity_file = file;
        EXPECT_THAT(why(o), HasSubstr("identity_file")) << file;
    }
    auto o = options();
    o.address = "-oProxyCommand=x:1";
    EXPECT_THAT(why(o), HasSubstr("address"));
    o = options();
    o.bind = "";
    EXPECT_THAT(why(o), HasSubstr("bind"));
}

TEST(SshCommandLine, PinnedKeysBecomeAFile) {
    EXPECT_EQ(known_hosts_text({"ssh-ed25519 AAAA1", "ssh-rsa AAAA2"}),
              "umbra-tunnel ssh-ed25519 AAAA1\numbra-tunnel ssh-rsa AAAA2\n");
}

}  // namespace
}  // namespace umbra::ssh_tunnel
