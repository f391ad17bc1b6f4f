#include "agent_thread.hpp"
#include <umbra/sdk/export.hpp>

UMBRA_PLUGIN(umbra::gateway::GatewayTunnel)
