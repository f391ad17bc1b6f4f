#include "tcp_probe.hpp"
#include <umbra/sdk/export.hpp>

UMBRA_PLUGIN(umbra::tcp_probe::TcpProbe)
