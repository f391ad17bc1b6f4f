#pragma once

#include "gateway_dial.hpp"
#include <umbra/gateway/invitation.hpp>
#include <umbra/gateway/link.hpp>

#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace umbra::gateway {

/// One conversation that makes the gateway know this node's key and this node the gateway's.
/// Belongs to the loop's thread.
class Enrolment : public std::enable_shared_from_this<Enrolment> {
public:
    /// The pin of the gateway, or why not: `denied` when the gateway refused the invitation.
    using Outcome = std::function<void(Result<std::string>)>;

    static std::shared_ptr<Enrolment> start(boost::asio::io_context& io, const Route& route,
                                            Duration connect_timeout, TlsIdentity identity,
                                            const Invitation& invitation, std::string node,
                                            Outcome outcome);
    /// Completes with `closed`.
    void stop();

private:
    void on_socket(boost::asio::ip::tcp::socket socket, const TlsIdentity& identity);
    void say(const Invitation& invitation);
    void on_control(const ControlMessage& message);
    void finish(Result<std::string> result);

    Invitation invitation_;
    std::string node_;
    Outcome outcome_;
    std::shared_ptr<GatewayDial> dial_;
    std::shared_ptr<Link> link_;
};

/// The keys of the gateway, `gateway.pin` in `dir`: what an enrolment left there, and what the
/// gateway has said since. A line for each; without a present one when there was no enrolment.
[[nodiscard]] Result<KeyPins> load_pins(const std::filesystem::path& dir);
/// Durable when it returns.
[[nodiscard]] Result<Done> store_pins(const std::filesystem::path& dir, const KeyPins& pins);

/// What `msg::Enrol` proves knowledge with.
[[nodiscard]] Result<Digest> enrol_proof(const Digest& secret, ByteView exporter);

}  // namespace umbra::gateway
