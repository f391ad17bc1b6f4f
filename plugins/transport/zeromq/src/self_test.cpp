#include "self_test.hpp"

#include "endpoint.hpp"

namespace umbra::zeromq {

Result<Done> self_test(zmq::context_t& context, Permits& permits, const Listener& listener,
                       zmq::socket_type dial_as, const std::string& server_key,
                       const Options& options, Millis patience) {
    const KeyPair throw_away = make_key_pair();
    permits.begin_self_test(throw_away.public_key);
    Dialer dialer{context,    dial_as, throw_away,
                  server_key, options, reachable_locally(listener.endpoint())};
    const TimePoint give_up = Clock::now() + patience;
    bool turned_away = false, let_in = false;
    while (!turned_away && !let_in && Clock::now() < give_up) {
        zmq::pollitem_t item{nullptr, dialer.monitor().fd(), ZMQ_POLLIN, 0};
        zmq::poll(&item, 1, Millis{20});
        for (const auto& change : dialer.step(Clock::now())) {
            let_in = let_in || change.type == LinkChange::Type::up;
            turned_away = turned_away || change.type == LinkChange::Type::denied;
        }
    }
    const int refusals = permits.end_self_test();
    const std::string test = "self-test of authentication on " + listener.endpoint();
    if (let_in)
        return Error{Errc::denied, test +
                                       ": a key that nobody permitted was let in; this libzmq "
                                       "does not ask its ZAP handler"};
    if (!turned_away || refusals == 0)
        return Error{Errc::denied, test + ": a key that nobody permitted was not refused within " +
                                       std::to_string(patience.count()) +
                                       " ms; check that this machine reaches its own endpoint"};
    return Done{};
}

}  // namespace umbra::zeromq
