#include "requests.hpp"

#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// What is being read is held in memory.
constexpr std::size_t requests_max = 1024;

class PreambleReader : public std::enable_shared_from_this<PreambleReader> {
public:
    PreambleReader(Context& context, std::shared_ptr<Client> client,
                   std::unique_ptr<Preamble> preamble, PreambleDone done)
        : context_(context),
          client_(std::move(client)),
          preamble_(std::move(preamble)),
          done_(std::move(done)),
          limit_(context.io, request_time_max) {
        ++context_.requests_now;
    }
    PreambleReader(const PreambleReader&) = delete;
    PreambleReader& operator=(const PreambleReader&) = delete;
    ~PreambleReader() { --context_.requests_now; }

    void start() {
        limit_.async_wait([me = shared_from_this()](boost::system::error_code error) {
            if (!error && !me->over_) me->late();
        });
        wait();
    }

private:
    void wait() {
        client_->socket.async_wait(tcp::socket::wait_read,
                                   [me = shared_from_this()](boost::system::error_code error) {
                                       if (!me->over_) error ? me->bad({}) : me->read();
                                   });
    }

    void read() {
        const int socket = client_->socket.native_handle();
        std::array<char, 2048> seen;
        // Looked at first and taken after: what follows the request belongs to the stream.
        const auto got = ::recv(socket, seen.data(), seen.size(), MSG_PEEK | MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return wait();
        if (got <= 0) return bad({});
        const std::string_view arrived(seen.data(), static_cast<std::size_t>(got));
        const auto taken = preamble_->feed(arrived);
        (void)::recv(socket, seen.data(), taken, MSG_DONTWAIT);
        const auto answer = preamble_->take_answer();
        if (preamble_->state() == Preamble::State::bad) return bad(answer);
        say(client_->socket, answer);
        client_->answered |= !answer.empty();
        if (preamble_->state() == Preamble::State::reading) return wait();
        finish();
        done_(std::move(client_), *preamble_);
    }

    /// The preamble's answer is better than what is said of any bad request.
    void bad(std::string_view last_words) {
        finish();
        turn_away_with(context_, *client_, Refusal::bad_request, last_words);
    }
    void late() {
        const auto* dialect = client_->dialect;
        bad(dialect != nullptr && dialect->late != nullptr ? dialect->late() : std::string());
    }
    void finish() {
        over_ = true;
        limit_.cancel();
    }

    Context& context_;
    std::shared_ptr<Client> client_;
    std::unique_ptr<Preamble> preamble_;
    PreambleDone done_;
    asio::steady_timer limit_;
    bool over_ = false;
};

}  // namespace

void read_preamble(Context& context, std::shared_ptr<Client> client,
                   std::unique_ptr<Preamble> preamble, PreambleDone done) {
    if (context.requests_now >= requests_max) return turn_away(context, *client, Refusal::clients);
    std::make_shared<PreambleReader>(context, std::move(client), std::move(preamble),
                                     std::move(done))
        ->start();
}

}  // namespace umbra::gateway
