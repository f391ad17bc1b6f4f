#include "enrolment.hpp"

#include <umbra/gateway/private_file.hpp>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <fstream>

namespace umbra::gateway {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr const char* pin_file = "gateway.pin";

}  // namespace

Result<KeyPins> load_pins(const fs::path& dir) {
    const fs::path path = dir / pin_file;
    std::ifstream file(path);
    if (!file) return KeyPins{};
    KeyPins pins;
    std::getline(file, pins.present);
    std::getline(file, pins.next);
    if (!well_formed(pins))
        return Error{Errc::data_loss,
                     "the file " + path.string() + " holds no key pin; remove it and enrol again"};
    return pins;
}

Result<Done> store_pins(const fs::path& dir, const KeyPins& pins) {
    return replace_file(dir / pin_file,
                        pins.present + "\n" + (pins.next.empty() ? "" : pins.next + "\n"));
}

Result<Digest> enrol_proof(const Digest& secret, ByteView exporter) {
    Digest key{};
    Digest proof{};
    unsigned int length = 0;
    const bool ok =
        EVP_Digest(secret.data(), secret.size(), key.data(), &length, EVP_sha256(), nullptr) == 1 &&
        HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), exporter.data(),
             exporter.size(), proof.data(), &length) != nullptr;
    if (!ok) return Error{Errc::internal, "cannot compute the proof for the invitation"};
    return proof;
}

std::shared_ptr<Enrolment> Enrolment::start(asio::io_context& io, const Route& route,
                                            Duration connect_timeout, TlsIdentity identity,
                                            const Invitation& invitation, std::string node,
                                            Outcome outcome) {
    auto enrolment = std::make_shared<Enrolment>();
    enrolment->invitation_ = invitation;
    enrolment->node_ = std::move(node);
    enrolment->outcome_ = std::move(outcome);
    enrolment->dial_ = GatewayDial::start(
        io, route, connect_timeout,
        [me = enrolment, identity = std::move(identity)](Result<asio::ip::tcp::socket> result) {
            me->dial_.reset();
            if (!result) return me->finish(result.error());
            me->on_socket(std::move(*result), identity);
        });
    return enrolment;
}

void Enrolment::on_socket(asio::ip::tcp::socket socket, const TlsIdentity& identity) {
    link_ = Link::make(std::move(socket), identity,
                       {.expected = {pin_text(invitation_.gateway_pin), ""}});
    link_->start(
        {.on_ready = [me = shared_from_this()] { me->say(me->invitation_); },
         .on_control = [me = shared_from_this()](const ControlMessage& m) { me->on_control(m); },
         .on_open = {},
         .on_closed =
             [me = shared_from_this()](const LinkClosed& closed) {
                 me->link_.reset();
                 me->finish(Error{Errc::unavailable, "the enrolment failed: " + closed.text});
             }});
}

void Enrolment::say(const Invitation& invitation) {
    auto exporter = link_->exporter(enrol_exporter_label, enrol_exporter_bytes);
    if (!exporter) return finish(exporter.error());
    auto proof = enrol_proof(invitation.secret, *exporter);
    if (!proof) return finish(proof.error());
    link_->send(msg::Enrol{.invitation = invitation.id, .proof = *proof, .node = node_});
}

void Enrolment::on_control(const ControlMessage& message) {
    if (std::holds_alternative<msg::Enrolled>(message)) {
        finish(pin_text(invitation_.gateway_pin));
    } else if (const auto* refused = std::get_if<msg::Refused>(&message)) {
        finish(Error{Errc::denied, "the gateway says: " + refused->text});
    }
}

void Enrolment::stop() { finish(Error{Errc::closed, "the tunnel is stopping"}); }

void Enrolment::finish(Result<std::string> result) {
    if (dial_) dial_->cancel();
    if (link_) link_->close("enrolment over");
    if (auto outcome = std::exchange(outcome_, nullptr)) outcome(std::move(result));
}

}  // namespace umbra::gateway
