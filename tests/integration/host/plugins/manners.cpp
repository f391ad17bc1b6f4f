// A probe on the C++ headers that does what its option "mode" names: the ways in which an author's
// code may end.
#include <umbra/sdk/export.hpp>
#include <umbra/sdk/probe.hpp>

#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace {

struct Options {
    std::string mode;
    umbra::Duration timeout{};
    std::string token;
    std::string colour;
};

constexpr const char* colours[] = {"red", "green", nullptr};
constexpr const char* abilities[] = {"ipv6", "concurrent", nullptr};

class Manners final : public umbra::HealthProbe {
public:
    static constexpr umbra::PluginInfo info{"manners", "0.3.0", "Ends in many ways.", "MIT",
                                            abilities};
    static constexpr auto schema = umbra::options<Options>(
        umbra::opt<&Options::mode>("mode").required().help("How to end."),
        umbra::opt<&Options::timeout>("timeout")
            .def("\"2s\"")
            .range("\"10ms\"", "\"60s\"")
            .live()
            .help("Gives up after this long."),
        umbra::opt<&Options::token>("token").secret().help("Not shown."),
        umbra::opt<&Options::colour>("colour").choices(colours).def("\"red\"").help(
            "Just a choice."));

    Manners(umbra::Context context, const Options& options)
        : context_(context), mode_(options.mode), timeout_(options.timeout) {
        if (mode_ == "throw-in-create") throw std::runtime_error("cannot resolve boom");
        if (mode_ == "slow-create") std::this_thread::sleep_for(std::chrono::milliseconds{15});
    }
    ~Manners() override {
        for (auto& thread : threads_) thread.join();
    }

    void check(umbra::Reply<umbra::ProbeResult> reply) override {
        if (mode_ == "throw") throw std::runtime_error("parser exploded");
        if (mode_ == "throw-failure")
            throw umbra::Failure(umbra::Errc::unavailable, "try tomorrow");
        if (mode_ == "throw-errno")
            throw std::system_error(ECONNREFUSED, std::generic_category(), "connect");
        if (mode_ == "throw-int") throw 7;
        if (mode_ == "drop") return;
        if (mode_ == "slow") std::this_thread::sleep_for(std::chrono::milliseconds{15});
        if (mode_ == "log") {
            context_.info("first line\nsecond line");
            context_.debug("not asked for");
        }
        if (mode_ == "who") {
            reply.ok({umbra::Health::degraded, timeout_,
                      std::string{context_.instance_name()} + " " +
                          std::string{context_.object_name()} + " " +
                          std::string{context_.state_dir()}});
            return;
        }
        if (mode_ == "thread" || mode_ == "drop-in-thread") {
            threads_.emplace_back(
                [mine = std::move(reply), drop = mode_ == "drop-in-thread"]() mutable {
                    if (!drop) mine.ok(good());
                });
            return;
        }
        reply.ok(good());
    }

    /// Takes the mode as well, so that a test sees which values came.
    void change_options(const Options& options, umbra::Reply<umbra::Done> reply) {
        if (options.mode == "throw") throw std::runtime_error("never");
        mode_ = options.mode;
        timeout_ = options.timeout;
        reply.ok();
    }

    void stop(umbra::Reply<umbra::Done> reply) override {
        for (auto& thread : threads_) thread.join();
        threads_.clear();
        reply.ok();
    }

private:
    static umbra::ProbeResult good() {
        return {umbra::Health::healthy, std::chrono::microseconds{42}, "fine"};
    }

    umbra::Context context_;
    std::string mode_;
    umbra::Duration timeout_;
    std::vector<std::thread> threads_;
};

}  // namespace

UMBRA_PLUGIN(Manners)
