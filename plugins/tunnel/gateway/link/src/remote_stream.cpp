#include "remote_stream.hpp"

#include <boost/asio/post.hpp>

namespace umbra::gateway {

namespace asio = boost::asio;

template <class Work>
void RemoteStream::there(Work work) {
    asio::post(there_, [me = self(), work = std::move(work)]() mutable {
        if (me->inner_) work(*me->inner_);
    });
}

void RemoteStream::count_in(std::shared_ptr<std::size_t> streams) {
    counted_in_ = std::move(streams);
    ++*counted_in_;
}

void RemoteStream::attach(asio::ip::tcp::socket socket) {
    if (ended_) return;
    there([user = UserSocket(std::move(socket))](StreamImpl& inner) mutable {
        inner.attach(std::move(user));
    });
}

void RemoteStream::refuse(StatusCode code, std::string text) {
    if (ended_) return;
    there([code, text = std::move(text)](StreamImpl& inner) { inner.refuse(code, text); });
}

void RemoteStream::reset(std::string why) {
    if (ended_) return;
    there([why = std::move(why)](StreamImpl& inner) { inner.reset(why); });
}

void RemoteStream::follow(std::shared_ptr<StreamImpl> inner) {
    inner_ = std::move(inner);
    seen_ = inner_.get();
    inner_->listen({.on_status =
                        [me = self()](const OpenStatus& status) {
                            asio::post(me->home_, [me, status] { me->on_status(status); });
                        },
                    .on_closed =
                        [me = self()](StreamEnd end, const std::string& why) {
                            asio::post(me->home_, [me, end, why] { me->on_closed(end, why); });
                        }});
}

void RemoteStream::fail(StreamEnd end, std::string why) {
    asio::post(home_, [me = self(), end, why = std::move(why)] {
        if (end == StreamEnd::refused) me->on_status({StatusCode::limit, why});
        me->on_closed(end, why);
    });
}

void RemoteStream::on_status(const OpenStatus& status) {
    if (const auto on_status = std::exchange(events_.on_status, nullptr)) on_status(status);
}

void RemoteStream::on_closed(StreamEnd end, const std::string& why) {
    ended_ = true;
    if (const auto streams = std::exchange(counted_in_, nullptr)) --*streams;
    const auto on_closed = std::move(events_.on_closed);
    events_ = {};
    if (on_closed) on_closed(end, why);
}

}  // namespace umbra::gateway
