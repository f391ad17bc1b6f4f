#pragma once

#include "poll_set.hpp"
#include "requests.hpp"
#include "sockets.hpp"
#include <umbra/sdk/transport.hpp>

#include <list>
#include <string>

namespace umbra::zeromq {

/// Questions asked as a guest: each has a connection of its own under a one-time key, which ends
/// with the answer. Belongs to the socket thread.
class Introductions {
public:
    /// Tries until the deadline: the other side may permit the key a moment later.
    void add(zmq::context_t& context, const Options& options, const std::string& respond,
             const std::string& server_identity, const std::string& secret, Frames frames,
             Reply<Frames> reply);
    void fail_all(const Error& error);

    void prepare(PollSet& set);
    void step(TimePoint now);

private:
    struct Introduction {
        Dialer dialer;
        Requests question;
        std::string trouble;
    };

    /// False when it is over.
    [[nodiscard]] static bool step_one(Introduction& introduction, TimePoint now);

    std::list<Introduction> open_;
};

}  // namespace umbra::zeromq
