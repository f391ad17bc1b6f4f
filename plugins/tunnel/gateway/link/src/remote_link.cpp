#include "remote_link.hpp"

#include "remote_stream.hpp"

#include <boost/asio/post.hpp>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// The same connection, watched by the loop there.
tcp::socket move_to(asio::io_context& io, tcp::socket socket) {
    boost::system::error_code error;
    const auto end = socket.local_endpoint(error);
    const int fd = socket.release(error);
    tcp::socket moved(io);
    if (!error) moved.assign(end.protocol(), fd, error);
    return moved;
}

}  // namespace

RemoteLink::RemoteLink(Loop& loop, tcp::socket socket, TlsIdentity identity, LinkOptions options)
    : loop_(loop),
      use_(loop.use()),
      home_(socket.get_executor()),
      awaited_(home_),
      peer_address_(address_of(socket)),
      own_pin_(identity.pin()),
      inner_(std::make_shared<LinkImpl>(move_to(loop.io(), std::move(socket)), std::move(identity),
                                        std::move(options))),
      figures_(inner_->figures()) {}

template <class Work>
void RemoteLink::there(Work work) {
    if (closed_) return;
    asio::post(loop_.io(), [me = self(), work = std::move(work)]() mutable { work(*me->inner_); });
}

template <class Work>
void RemoteLink::home(Work work) {
    asio::post(home_, [me = self(), work = std::move(work)]() mutable { work(*me); });
}

LinkEvents RemoteLink::events_there() {
    LinkEvents events;
    events.on_ready = [me = self()] {
        me->home([pin = me->inner_->peer_pin(), minor = me->inner_->minor()](RemoteLink& link) {
            link.peer_pin_ = pin;
            link.minor_ = minor;
            link.ready_ = true;
            if (!link.closed_ && link.events_.on_ready) link.events_.on_ready();
        });
    };
    events.on_control = [me = self()](ControlMessage message) {
        me->home([message = std::move(message)](RemoteLink& link) mutable {
            if (link.events_.on_control) link.events_.on_control(std::move(message));
        });
    };
    events.on_open = [me = self()](std::shared_ptr<Stream> inner) {
        auto stream = std::make_shared<RemoteStream>(me->home_, me->loop_.io().get_executor(),
                                                     inner->request());
        stream->follow(std::static_pointer_cast<StreamImpl>(std::move(inner)));
        me->home([stream = std::move(stream)](RemoteLink& link) mutable {
            stream->count_in(link.streams_);
            if (link.events_.on_open) return link.events_.on_open(std::move(stream));
            stream->reset("the link is closed");
        });
    };
    events.on_closed = [me = self()](const LinkClosed& closed) {
        me->home([closed](RemoteLink& link) {
            link.closed_ = true;
            const auto on_closed = std::move(link.events_.on_closed);
            link.events_ = {};
            link.awaited_.reset();
            if (on_closed) on_closed(closed);
        });
    };
    return events;
}

void RemoteLink::start(LinkEvents events) {
    events_ = std::move(events);
    there([events = events_there()](LinkImpl& link) mutable { link.start(std::move(events)); });
}

void RemoteLink::admit(Duration ping_every, Duration dead_after, Duration proof_for) {
    there([=](LinkImpl& link) { link.admit(ping_every, dead_after, proof_for); });
}

void RemoteLink::send(const ControlMessage& message) {
    there([message](LinkImpl& link) { link.send(message); });
}

Result<std::shared_ptr<Stream>> RemoteLink::open(OpenRequest request) {
    if (!is_open()) return Error{Errc::closed, "the link to " + peer_address_ + " is not open"};
    if (streams() >= streams_per_link_max) return too_many_streams(peer_address_);
    auto stream = std::make_shared<RemoteStream>(home_, loop_.io().get_executor(), request);
    stream->count_in(streams_);
    there([stream, request = std::move(request)](LinkImpl& link) mutable {
        auto inner = link.open(std::move(request));
        if (!inner) {
            const bool full = inner.error().code == Errc::exhausted;
            return stream->fail(full ? StreamEnd::refused : StreamEnd::link_lost,
                                inner.error().message);
        }
        stream->follow(std::static_pointer_cast<StreamImpl>(std::move(*inner)));
    });
    return std::shared_ptr<Stream>{std::move(stream)};
}

void RemoteLink::close(std::string why) {
    if (closed_) return;
    closed_ = true;
    loop_.run_and_wait([&] { inner_->close(std::move(why)); });
}

void RemoteLink::reset_streams(const std::function<bool(const Stream&)>& keep, std::string why) {
    if (closed_) return;
    loop_.run_and_wait([&] { inner_->reset_streams(keep, std::move(why)); });
}

Result<Bytes> RemoteLink::exporter(std::string_view label, std::size_t length) const {
    Result<Bytes> result = Error{Errc::closed, "the link is closed"};
    if (!closed_) loop_.run_and_wait([&] { result = inner_->exporter(label, length); });
    return result;
}

}  // namespace umbra::gateway
