// load_and_use DIRECTORY: takes the smallest plugin of each kind from a directory, makes an
// instance of it, calls it once and stops it. Exit status 0 when everything answered as it should.
#include "integration/host/support.hpp"
#include <umbra/host/describe.hpp>
#include <umbra/host/registry.hpp>

#include <cstdio>

namespace {

using namespace umbra;
using namespace umbra::host;
using namespace std::chrono_literals;

int failures = 0;

void expect(bool fine, const std::string& what) {
    std::printf("%s  %s\n", fine ? "ok  " : "FAIL", what.c_str());
    if (!fine) ++failures;
}

struct Bench {
    host::test::Loop loop;
    host::test::Lines lines;
    host::test::TempDirectory directory;
    const Registry& registry;

    template <class Handle, class Use>
    void try_out(umbra_kind kind, const std::vector<umbra_value>& values, Use use) {
        const std::string word = kind_word(kind);
        const auto plugin = registry.load(kind, "smallest");
        if (!plugin) return expect(false, word + ": " + plugin.error().message);
        auto made = Handle::make(*plugin->plugin,
                                 {"alpha", "main", directory / word, values.data(), values.size()},
                                 {loop.executor(), &loop, lines.sink()});
        if (!made) return expect(false, word + ": " + made.error().message);
        use(**made);
        bool stopped = false;
        (*made)->stop(Deadline::after(1s), [&](Result<Done> done) { stopped = done.ok(); });
        loop.run_queued();
        expect(stopped, (*made)->label() + " was made, used and stopped");
    }
};

template <class T>
Callback<T> expect_ok(const std::string& what, int& answers) {
    return [&answers, what](Result<T> result) {
        ++answers;
        expect(result.ok(), what + (result.ok() ? "" : ": " + result.error().message));
    };
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const Registry registry({argv[1]});
    Bench bench{{}, {}, {}, registry};
    int answers = 0;
    const auto soon = Deadline::after(1s);

    for (const auto& file : registry.files()) {
        const auto description = describe(file.path);
        std::fputs(to_text(description).c_str(), stdout);
        expect(description.loadable(), file.path.filename().string() + " is loadable");
    }
    expect(registry.files().size() == 4, "there are four plugins");

    std::string path = argv[0];
    const umbra_value value{UMBRA_OPT_PATH, 1, 0, 0, {path.data(), path.size()}, nullptr, 0};
    bench.try_out<ProbeHandle>(UMBRA_KIND_PROBE, {value}, [&](ProbeHandle& probe) {
        probe.check(soon, expect_ok<ProbeResult>("check", answers));
    });
    bench.try_out<TransportHandle>(UMBRA_KIND_TRANSPORT, {}, [&](TransportHandle& transport) {
        transport.open({}, soon, expect_ok<TransportOpened>("open", answers));
    });
    bench.try_out<StorageHandle>(UMBRA_KIND_STORAGE, {}, [&](StorageHandle& storage) {
        storage.open(soon, expect_ok<StorageOpened>("open", answers));
    });
    bench.try_out<TunnelHandle>(UMBRA_KIND_TUNNEL, {}, [&](TunnelHandle& tunnel) {
        tunnel.claim(1, ClaimReason::first, soon, expect_ok<ClaimResult>("claim", answers));
    });
    expect(answers == 4, "every call was answered once");
    return failures == 0 ? 0 : 1;
}
