// TLS towards an internal system: verified or refused, and as faithful as plain TCP.

#include "integration/gateway/agent_case.hpp"
#include "integration/gateway/tls_backend.hpp"

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

class AgentTlsTest : public AgentTest {
protected:
    AgentTlsTest() {
        auto& mapping = spec.mappings[0];
        mapping.protocol = "tcp+tls";
        mapping.internal_port = secure.port();
        mapping.tls.ca_file = ca.file();
    }
    /// What a client is told when the backend is not accepted.
    std::string refusal() {
        open_to_active();
        auto c = client();
        EXPECT_TRUE(answered(*c));
        EXPECT_EQ(c->status->code, StatusCode::refused);
        return c->status->text;
    }
    TempDir dir;
    TestCa ca{dir.path()};
    TlsBackend secure{ca.issue("db", "DNS:db.internal,IP:127.0.0.1")};
};

TEST_F(AgentTlsTest, AVerifiedBackendIsServedAndBothEndsEndInOrder) {
    open_to_active();
    auto c = client();
    EXPECT_TRUE(echoes(*c, pattern(3u << 20, 1)));
    EXPECT_EQ(c->status->code, StatusCode::ok);
    const std::size_t before = c->user->in.size();
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return c->user->eof && c->end; }));
    EXPECT_EQ(c->user->in.substr(before), "bye") << "it was told of the end, and answered after it";
    EXPECT_EQ(*c->end, StreamEnd::finished);
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 0; }));
}

TEST_F(AgentTlsTest, ACertificateOfAnotherNameIsRefusedBeforeTheClientIsLetIn) {
    spec.mappings[0].tls.server_name = "other.internal";
    EXPECT_NE(refusal().find("certificate is not accepted: hostname mismatch"), std::string::npos);
    EXPECT_EQ(secure.handshakes, 0);
}

TEST_F(AgentTlsTest, TheNameMayBeGiven) {
    spec.mappings[0].tls.server_name = "db.internal";
    open_to_active();
    EXPECT_TRUE(echoes(*client(), "hello"));
}

TEST_F(AgentTlsTest, ACaThatDoesNotVouchIsRefusedAndNothingIsTrustedByDefault) {
    spec.mappings[0].tls.ca_file.clear();
    EXPECT_NE(refusal().find("certificate is not accepted"), std::string::npos);
}

TEST_F(AgentTlsTest, ACaFileThatCanNotBeReadIsNamed) {
    spec.mappings[0].tls.ca_file = (dir.path() / "none.pem").string();
    EXPECT_NE(refusal().find("tls_ca_file \"" + spec.mappings[0].tls.ca_file), std::string::npos);
}

TEST_F(AgentTlsTest, APinnedKeyIsEnoughAndNoOtherIs) {
    spec.mappings[0].tls.ca_file.clear();
    spec.mappings[0].tls.pin = "sha256:" + std::string(64, '0');
    const std::string text = refusal();
    const std::size_t at = text.find("its key is sha256:");
    ASSERT_NE(at, std::string::npos) << text;
    spec.mappings[0].tls.pin = text.substr(at + 11, 71);
    Op<Done> configured;
    tunnel->configure(spec, configured.reply());
    ASSERT_TRUE(until([&] { return configured.done(); }));
    EXPECT_TRUE(echoes(*client(), "hello"));
}

TEST_F(AgentTlsTest, ABackendWithoutTlsIsRefused) {
    spec.mappings[0].internal_port = backend.port();
    EXPECT_NE(refusal().find("TLS"), std::string::npos);
}

TEST_F(AgentTlsTest, AConnectionThatIsCutIsNoEnd) {
    secure.cuts = true;
    open_to_active();
    auto c = client();
    c->user->write("hello");
    ASSERT_TRUE(until([&] { return c->end.has_value(); }));
    EXPECT_EQ(*c->end, StreamEnd::reset);
    ASSERT_TRUE(until([&] { return c->user->eof || c->user->read_error; }));
    EXPECT_FALSE(c->user->eof) << "the user must not take it for a whole answer";
}

TEST_F(AgentTlsTest, AClientThatBreaksOffReachesTheBackend) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "hello"));
    c->stream->reset("the client is gone");
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 0; }));
    auto next = client();
    EXPECT_TRUE(echoes(*next, "the backend's one thread is free again"));
}

}  // namespace
}  // namespace umbra::gateway
