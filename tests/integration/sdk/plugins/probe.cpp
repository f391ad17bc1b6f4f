#include <umbra/sdk/export.hpp>
#include <umbra/sdk/probe.hpp>

#include <unistd.h>

namespace {

struct Options {
    std::string path;
};

class FileProbe final : public umbra::HealthProbe {
public:
    static constexpr umbra::PluginInfo info{"smallest", "1.0.0", "Healthy while a file exists."};
    static constexpr auto schema = umbra::options<Options>(
        umbra::opt<&Options::path>("path").type(UMBRA_OPT_PATH).required().help("The file."));

    FileProbe(umbra::Context, Options options) : options_(std::move(options)) {}

    void check(umbra::Reply<umbra::ProbeResult> reply) override {
        const bool there = access(options_.path.c_str(), F_OK) == 0;
        reply.ok({there ? umbra::Health::healthy : umbra::Health::down, {}, options_.path});
    }

private:
    Options options_;
};

}  // namespace

UMBRA_PLUGIN(FileProbe)
