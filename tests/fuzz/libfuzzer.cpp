// One target for libFuzzer; which one is fixed when it is built.

#include "fuzz/target.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

const umbra::fuzz::Target& chosen() {
    static const umbra::fuzz::Target target = [] {
        for (const auto& targets : {umbra::fuzz::protocol_targets(), umbra::fuzz::server_targets()})
            for (const auto& one : targets)
                if (one.name == UMBRA_FUZZ_TARGET) return one;
        std::fprintf(stderr, "no target %s\n", UMBRA_FUZZ_TARGET);
        std::abort();
    }();
    return target;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    umbra::fuzz::Bytes input(data, data + size);
    for (const bool repaired : {false, true}) {
        if (repaired && !chosen().repair) break;
        if (repaired) chosen().repair(input);
        const auto broken = chosen().check(input);
        if (broken.empty()) continue;
        std::fprintf(stderr, "%s: %s\n", chosen().name.c_str(), broken.c_str());
        std::abort();
    }
    return 0;
}
