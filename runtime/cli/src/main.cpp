#include "command_line.hpp"
#include "exit_status.hpp"

#include <exception>

int main(int argc, char** argv) try {
    return umbra::cli::run_command_line(argc, argv);
} catch (const std::exception& e) {
    return umbra::cli::fail(umbra::cli::exit_failed, e.what());
}
