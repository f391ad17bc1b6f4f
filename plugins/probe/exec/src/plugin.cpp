#include "exec_probe.hpp"
#include <umbra/sdk/export.hpp>

UMBRA_PLUGIN(umbra::exec_probe::ExecProbe)
