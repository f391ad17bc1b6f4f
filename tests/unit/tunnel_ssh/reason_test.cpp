#include "reason.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::ssh_tunnel {
namespace {

using testing::HasSubstr;

Reason reason(const std::deque<std::string>& lines) {
    return reason_of(lines, {false, 255}, "ssh.cloud:22", "/state/known_hosts");
}

TEST(SshReason, AnotherHostKeyIsNotTriedAway) {
    const auto found = reason({"@@@@@@@@@@", "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @",
                               "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!",
                               "Host key verification failed."});
    EXPECT_TRUE(found.refused);
    EXPECT_THAT(found.text, HasSubstr("the host key of ssh.cloud:22 is not the one in "
                                      "/state/known_hosts"));
}

TEST(SshReason, AnUnknownHostKeyToo) {
    const auto found =
        reason({"No ED25519 host key is known for umbra-tunnel and you have requested strict "
                "checking.",
                "Host key verification failed."});
    EXPECT_TRUE(found.refused);
    EXPECT_THAT(found.text, HasSubstr("no host key of ssh.cloud:22 is in"));
}

TEST(SshReason, WhatSomebodyHasToMendIsRefusedInItsOwnWords) {
    for (const char* line : {"tunnel@localhost.invalid: Permission denied (publickey).",
                             "Load key \"/etc/umbra/id\": invalid format",
                             "@ WARNING: UNPROTECTED PRIVATE KEY FILE! @",
                             "Warning: Identity file /x not accessible: No such file or directory.",
                             "command-line line 0: Bad number"}) {
        EXPECT_EQ(reason({line}), (Reason{line, true}));
    }
}

TEST(SshReason, WhatMayMendItselfIsTriedAgain) {
    EXPECT_EQ(reason({"ssh: connect to host ssh.cloud port 22: Connection refused"}),
              (Reason{"connect to host ssh.cloud port 22: Connection refused", false}));
    EXPECT_EQ(reason({}), (Reason{"ssh exited with status 255", false}));
}

}  // namespace
}  // namespace umbra::ssh_tunnel
