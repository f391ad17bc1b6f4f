#pragma once

#include "permits.hpp"
#include "sockets.hpp"

namespace umbra::zeromq {

/// Proves that a bound socket is closed to strangers: dials it with a key made for this and must be
/// refused, by the ZAP handler and nothing else. Takes a few milliseconds; waits at most
/// `patience`, and no verdict is a failure.
///
/// @param server_key  Public key of the listener.
[[nodiscard]] Result<Done> self_test(zmq::context_t& context, Permits& permits,
                                     const Listener& listener, zmq::socket_type dial_as,
                                     const std::string& server_key, const Options& options,
                                     Millis patience = self_test_max);

}  // namespace umbra::zeromq
