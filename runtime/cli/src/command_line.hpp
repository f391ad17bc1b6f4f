#pragma once

namespace umbra::cli {

/// The program: understands the command line, does it, and returns the exit status.
int run_command_line(int argc, char** argv);

}  // namespace umbra::cli
