#include "http_probe.hpp"
#include <umbra/sdk/export.hpp>

UMBRA_PLUGIN(umbra::http_probe::HttpProbe)
