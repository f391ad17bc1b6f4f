#pragma once

#include "client.hpp"
#include "context.hpp"

#include <functional>
#include <memory>

namespace umbra::gateway {

/// Time in which a client has to say where it wants to go, and how long it may take to say it.
inline constexpr Duration request_time_max = std::chrono::seconds{10};

/// Reads what `client` says first, as far as `preamble` goes and not one byte more, and gives the
/// answers of it. Then calls `done` with the preamble; a client that says something else, or does
/// not say it in time, is turned away instead.
using PreambleDone = std::function<void(std::shared_ptr<Client>, Preamble&)>;
void read_preamble(Context& context, std::shared_ptr<Client> client,
                   std::unique_ptr<Preamble> preamble, PreambleDone done);

}  // namespace umbra::gateway
