#include "commands.hpp"
#include <umbra/instance/run.hpp>

namespace umbra::cli {

int run(const std::string& file) { return instance::run_instance(file); }

}  // namespace umbra::cli
