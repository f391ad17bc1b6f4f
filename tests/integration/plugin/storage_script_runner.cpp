// Goes through the script of storage_script.hpp:
//   storage_script_runner PLUGIN STATE_DIR STEPS [OPTION...]
// Opens the storage, makes the first STEPS of them, and reports each answer on stdout as a line:
// "open", "ok", or "no CODE". What was refused and may succeed later is tried again, as often as
// `tries`. Exit status 0: all is done. 5: the storage gave itself up. 6: it was refused to the end.

#include "integration/plugin/storage_script.hpp"

#include <cstdlib>
#include <unistd.h>

namespace {

using namespace umbra;
using namespace umbra::plugin_test;

constexpr int tries = 3;

/// In one piece, so that whoever reads has all of it or nothing.
void tell(const std::string& line) {
    if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        std::_Exit(3);
}

/// Until it is answered with success; otherwise the program ends.
template <class Ask>
void insist(StorageDriver& storage, const char* done, Ask ask) {
    for (int i = 0; i < tries; ++i) {
        const auto answer = ask();
        if (answer.ok()) return tell(std::string{done} + "\n");
        tell("no " + std::to_string(static_cast<int>(answer.error().code)) + " " +
             answer.error().message + "\n");
        if (answer.error().code != Errc::data_loss) continue;
        (void)storage.stop().get();
        std::_Exit(5);
    }
    (void)storage.stop().get();
    std::_Exit(6);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 64;
    const PluginFile file{argv[1], UMBRA_KIND_STORAGE};
    StorageDriver storage{file, argv[2], from_arguments(argv + 4, argv + argc)};
    insist(storage, "open", [&] { return storage.open().get(); });
    const auto steps = std::strtoull(argv[3], nullptr, 10);
    for (std::size_t i = 0; i < steps; ++i)
        insist(storage, "ok", [&] { return script()[i].act(storage).get(); });
    return storage.stop().get().ok() ? 0 : 7;
}
