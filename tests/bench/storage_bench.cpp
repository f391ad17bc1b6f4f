// Appends per second of a storage plugin beside bare appends to a file in the same directory:
//   storage_bench PLUGIN [DIRECTORY] [SECONDS] [OPTION...]
// An option is name=text, name#number or name+element of a list; each run has a prefix of its own.
// Every writer has one append in flight. Bare: one thread, pwrite + fdatasync for each body.

#include "integration/plugin/storage_driver.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace umbra;
using namespace umbra::plugin_test;
using Clock = std::chrono::steady_clock;

constexpr std::size_t body_size = 256;

struct Measured {
    std::vector<double> micros;
    double seconds = 0;

    void print(const char* what) {
        std::sort(micros.begin(), micros.end());
        const auto at = [&](double share) {
            return micros[static_cast<std::size_t>(static_cast<double>(micros.size() - 1) * share)];
        };
        std::printf("%-12s %9.0f appends/s   p50 %8.0f us   p99 %8.0f us\n", what,
                    static_cast<double>(micros.size()) / seconds, at(0.5), at(0.99));
    }
};

double micros_since(Clock::time_point began) {
    return std::chrono::duration<double, std::micro>(Clock::now() - began).count();
}

Measured bare(const std::string& directory, std::chrono::duration<double> length) {
    const int fd = ::open((directory + "/bare").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    const std::string body(body_size, 'b');
    Measured result;
    off_t offset = 0;
    const auto began = Clock::now();
    while (Clock::now() - began < length) {
        const auto start = Clock::now();
        if (::pwrite(fd, body.data(), body.size(), offset) < 0 || ::fdatasync(fd) != 0)
            broken_interface("cannot write beside the storage");
        offset += static_cast<off_t>(body.size());
        result.micros.push_back(micros_since(start));
    }
    result.seconds = micros_since(began) / 1e6;
    ::close(fd);
    return result;
}

Measured storage(const PluginFile& file, const std::string& directory, std::size_t writers,
                 std::chrono::duration<double> length, OptionValues options) {
    if (auto* prefix = std::get_if<std::string>(&options["prefix"]))
        *prefix += std::to_string(writers) + "/";
    else
        options.erase("prefix");
    const auto state = directory + "/state" + std::to_string(writers);
    std::filesystem::create_directory(state);
    StorageDriver driver{file, state, options};
    if (!driver.open().get().ok()) broken_interface("cannot open the storage");
    struct Flight {
        Clock::time_point began;
        Pending<Done> pending;
    };
    std::deque<Flight> flights;
    Measured result;
    const std::string body(body_size, 'b');
    std::uint64_t seq = 0;
    const auto began = Clock::now();
    while (Clock::now() - began < length || !flights.empty()) {
        while (flights.size() < writers && Clock::now() - began < length) {
            ++seq;
            flights.push_back({Clock::now(), driver.append({entry_of(seq, body)})});
        }
        if (flights.empty()) break;
        if (!flights.front().pending.get().ok()) broken_interface("an append failed");
        result.micros.push_back(micros_since(flights.front().began));
        flights.pop_front();
    }
    result.seconds = micros_since(began) / 1e6;
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: storage_bench PLUGIN [DIRECTORY] [SECONDS] [OPTION...]\n");
        return 2;
    }
    const TemporaryDirectory temporary;
    const std::string directory = argc > 2 ? argv[2] : temporary.path();
    const std::chrono::duration<double> length{argc > 3 ? std::atof(argv[3]) : 2.0};
    const PluginFile file{argv[1], UMBRA_KIND_STORAGE};
    bare(directory, length).print("bare");
    for (const std::size_t writers : {1u, 16u, 64u})
        storage(file, directory, writers, length,
                from_arguments(argv + std::min(argc, 4), argv + argc))
            .print((std::to_string(writers) + " writers").c_str());
    bare(directory, length).print("bare again");
}
