#include "tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <utility>

namespace umbra::gateway {
namespace {

/// AES-GCM keys are good for 2^24.5 records; OpenSSL never changes them by itself.
constexpr std::uint64_t records_per_key = 1u << 22;
constexpr std::size_t record_bytes = 16u << 10;
/// Read at once: two slabs of the other side, and not the beginning of a record of the third, whose
/// rest would be read by itself.
constexpr std::size_t record_overhead = 5 + 1 + 16;
constexpr std::size_t read_bytes_max =
    2 * (slab_bytes + (slab_bytes / record_bytes + 1) * record_overhead);
/// Kept when the unsent buffer runs empty; more goes back to the allocator.
constexpr std::size_t kept_bytes = 512u << 10;
constexpr std::size_t room_bytes_min = 32u << 10;

Tls& tls_of(BIO* bio) { return *static_cast<Tls*>(BIO_get_data(bio)); }

const BIO_METHOD* bio_method() {
    static const BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "umbra link");
        BIO_meth_set_read_ex(made, [](BIO* bio, char* data, std::size_t size, std::size_t* count) {
            BIO_clear_retry_flags(bio);
            const int result = tls_of(bio).bio_read(data, size, count);
            if (result < 0) BIO_set_retry_read(bio);
            return result > 0 ? 1 : 0;
        });
        BIO_meth_set_write_ex(made,
                              [](BIO* bio, const char* data, std::size_t size, std::size_t* count) {
                                  BIO_clear_retry_flags(bio);
                                  tls_of(bio).bio_write(data, size);
                                  *count = size;
                                  return 1;
                              });
        BIO_meth_set_ctrl(made, [](BIO*, int command, long, void*) -> long {
            return command == BIO_CTRL_FLUSH ? 1 : 0;
        });
        return made;
    }();
    return method;
}

}  // namespace

Tls::Tls(const TlsIdentity& identity, int fd, KeyPins expected)
    : ssl_(SSL_new(identity.context())), check_{std::move(expected), {}}, fd_(fd) {
    if (!ssl_) throw std::bad_alloc();
    BIO* bio = BIO_new(bio_method());
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_app_data(ssl_.get(), &check_);
    if (identity.side() == Side::agent)
        SSL_set_connect_state(ssl_.get());
    else
        SSL_set_accept_state(ssl_.get());
}

int Tls::bio_read(char* data, std::size_t size, std::size_t* count) {
    *count = 0;
    // Asking again would find nothing; who waits for the socket is told of what came since.
    if (emptied_) return -1;
    size = std::min(size, read_bytes_max);
    for (;;) {
        const ssize_t got = ::recv(fd_, data, size, 0);
        if (got > 0) {
            *count = static_cast<std::size_t>(got);
            emptied_ = *count < size;
            return 1;
        }
        if (got == 0) {
            ended_ = true;
            return 0;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return -1;
        errno_ = errno;
        return 0;
    }
}

void Tls::bio_write(const char* data, std::size_t size) {
    if (used_ + size > room_) make_room(size);
    std::memcpy(out_.get() + used_, data, size);
    used_ += size;
}

void Tls::make_room(std::size_t more) {
    const std::size_t waiting = unsent();
    if (waiting + more > room_) {
        room_ = std::max({waiting + more, 2 * room_, room_bytes_min});
        auto grown = std::make_unique_for_overwrite<std::uint8_t[]>(room_);
        if (waiting > 0) std::memcpy(grown.get(), out_.get() + head_, waiting);
        out_ = std::move(grown);
    } else {
        std::memmove(out_.get(), out_.get() + head_, waiting);
    }
    head_ = 0;
    used_ = waiting;
}

Tls::Step Tls::outcome(int result, const char* doing) {
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) return Step::blocked;
    // An end without a close notice is what a killed process leaves. It can not pass for an orderly
    // end of a stream: that is a frame.
    if (error == SSL_ERROR_ZERO_RETURN || ended_) {
        why_ = "closed by the other side";
        return Step::ended;
    }
    why_ = doing;
    if (errno_ != 0) {
        why_ += ": ";
        why_ += std::strerror(errno_);
    } else if (wrong_key()) {
        why_ += ": the other side has the key " + check_.found + ", expected is " +
                check_.expected.present;
        if (!check_.expected.next.empty()) why_ += " or " + check_.expected.next;
    } else if (const unsigned long reason = ERR_peek_error(); reason != 0) {
        const char* text = ERR_reason_error_string(reason);
        why_ += ": ";
        why_ += text != nullptr ? text : "unknown error";
    }
    return Step::failed;
}

Tls::Step Tls::handshake() {
    ERR_clear_error();
    emptied_ = false;
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1) return outcome(result, "TLS handshake failed");
    const auto minor = agreed_minor(ssl_.get());
    if (!minor) {
        why_ = "TLS handshake failed: the other side does not speak umbra/1";
        return Step::failed;
    }
    minor_ = *minor;
    return Step::done;
}

Tls::Step Tls::read(std::span<std::uint8_t> out, std::size_t& count) {
    count = 0;
    emptied_ = false;
    while (count < out.size()) {
        ERR_clear_error();
        std::size_t got = 0;
        const int result = SSL_read_ex(ssl_.get(), out.data() + count, out.size() - count, &got);
        if (result != 1) return outcome(result, "connection broken");
        count += got;
    }
    return Step::done;
}

Tls::Step Tls::write(ByteView bytes) {
    if (bytes.empty()) return Step::done;
    ERR_clear_error();
    records_ += bytes.size() / record_bytes + 1;
    if (records_ >= records_per_key) {
        records_ = 0;
        SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    std::size_t done = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &done);
    if (result == 1) return Step::done;
    // The buffer takes everything, so "blocked" can not be: it would lose bytes.
    const Step step = outcome(result, "cannot encrypt");
    return step == Step::blocked ? Step::failed : step;
}

void Tls::finish() {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
}

Tls::Step Tls::flush() {
    while (unsent() > 0) {
        const ssize_t sent = ::send(fd_, out_.get() + head_, unsent(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            head_ += static_cast<std::size_t>(sent);
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Step::blocked;
        errno_ = errno;
        why_ = std::string("connection broken: ") + std::strerror(errno_);
        return Step::failed;
    }
    head_ = used_ = 0;
    if (room_ > kept_bytes) {
        out_.reset();
        room_ = 0;
    }
    return Step::done;
}

Result<Bytes> Tls::exporter(std::string_view label, std::size_t length) const {
    Bytes out(length);
    if (SSL_export_keying_material(ssl_.get(), out.data(), length, label.data(), label.size(),
                                   nullptr, 0, 0) != 1)
        return Error{Errc::internal, "cannot derive keying material from the TLS connection"};
    return out;
}

}  // namespace umbra::gateway
