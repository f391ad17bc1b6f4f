#include "file_storage.hpp"
#include <umbra/sdk/export.hpp>

UMBRA_PLUGIN(umbra::file_storage::FileStorage)
