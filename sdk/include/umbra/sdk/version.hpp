#pragma once

/// Version of the SDK headers. Source compatible within a major.
#define UMBRA_SDK_VERSION "0.1.0"
