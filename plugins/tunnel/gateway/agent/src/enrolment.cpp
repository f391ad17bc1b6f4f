#include "enrolment.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

namespace umbra::gateway {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr const char* pin_file = "gateway.pin";

Error file_error(const fs::path& path, const char* what) {
    const int number = errno;
    return {number == ENOSPC || number == EDQUOT ? Errc::exhausted : Errc::unavailable,
            std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(number),
            number};
}

}  // namespace

Result<std::string> load_pin(const fs::path& dir) {
    const fs::path path = dir / pin_file;
    std::ifstream file(path);
    if (!file) return std::string{};
    std::string pin;
    std::getline(file, pin);
    if (!is_pin(pin))
        return Error{Errc::data_loss,
                     "the file " + path.string() + " holds no key pin; remove it and enrol again"};
    return pin;
}

Result<Done> store_pin(const fs::path& dir, const std::string& pin) {
    const fs::path path = dir / pin_file;
    const fs::path fresh = path.string() + ".new";
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return file_error(fresh, "create");
    const std::string line = pin + "\n";
    const bool ok = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                    ::fsync(fd) == 0;
    const Error error = ok ? Error{} : file_error(fresh, "write");
    ::close(fd);
    if (!ok) return error;
    if (::rename(fresh.c_str(), path.c_str()) != 0) return file_error(path, "replace");
    const int folder = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return file_error(dir, "open");
    const bool stored = ::fsync(folder) == 0;
    const Error folder_error = stored ? Error{} : file_error(dir, "store");
    ::close(folder);
    if (!stored) return folder_error;
    return Done{};
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
                       {.expected_pin = pin_text(invitation_.gateway_pin)});
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
