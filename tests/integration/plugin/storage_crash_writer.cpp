// Appends to a storage for ever, until it is killed:
//   storage_crash_writer PLUGIN STATE_DIR SEED [OPTION...]
// Writes to stdout, for every answered operation, eight bytes: the sequence up to which everything
// was acknowledged as durable. The parent knows the content from the sequence alone.

#include "integration/plugin/storage_driver.hpp"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <unistd.h>

namespace {

using namespace umbra;
using namespace umbra::plugin_test;

void tell(std::uint64_t acknowledged) {
    if (::write(STDOUT_FILENO, &acknowledged, sizeof acknowledged) != sizeof acknowledged)
        std::_Exit(3);
}

int run(const std::string& plugin, const std::string& state_dir, std::uint64_t random,
        const OptionValues& options) {
    const PluginFile file{plugin, UMBRA_KIND_STORAGE};
    StorageDriver storage{file, state_dir, options};
    const auto opened = storage.open().get();
    if (!opened.ok()) {
        std::fprintf(stderr, "open: %s\n", opened.error().message.c_str());
        return 1;
    }
    auto last = opened.value().last.seq;
    tell(last);
    constexpr std::size_t in_flight_max = 16;
    std::deque<Pending<Done>> open;
    for (;;) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const auto count = 1 + (random >> 33) % 4;
        const auto up_to = last + count;
        open.push_back(
            storage.append(entries_of(last + 1, up_to), [up_to](const Result<Done>& answer) {
                if (!answer.ok()) std::_Exit(4);
                tell(up_to);
            }));
        last = up_to;
        if ((random >> 40) % 64 == 0) open.push_back(storage.compact(entry_of(last)));
        while (open.size() > in_flight_max) {
            if (!open.front().get().ok()) return 2;
            open.pop_front();
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 64;
    return run(argv[1], argv[2], std::strtoull(argv[3], nullptr, 10),
               from_arguments(argv + 4, argv + argc));
}
