// The tunnels, tried out at an operator's wish.

#include "tunnels.hpp"

#include <iterator>
#include <utility>

namespace umbra::instance {

namespace {

/// Time also for a full configuration whose systems are all dead; the admin API waits for 120 s.
constexpr Duration check_limit = std::chrono::seconds{110};

const char* name_of(TunnelCheck::Kind kind) {
    return kind == TunnelCheck::Kind::mapping ? "mapping" : "channel";
}

const char* name_of(TunnelCheck::Outcome outcome) {
    switch (outcome) {
        case TunnelCheck::Outcome::ok:
            return "ok";
        case TunnelCheck::Outcome::failed:
            return "failed";
        case TunnelCheck::Outcome::skipped:
            return "skipped";
    }
    return "failed";
}

std::vector<TunnelCheckView> views_of(const std::string& tunnel,
                                      const Result<std::vector<TunnelCheck>>& result) {
    std::vector<TunnelCheckView> views;
    if (!result) {
        const bool unable = result.error().code == Errc::unsupported;
        views.push_back(
            {tunnel, {}, {}, {}, unable ? "skipped" : "failed", 0, result.error().message});
        return views;
    }
    for (const TunnelCheck& check : *result)
        views.push_back(
            {tunnel, name_of(check.kind), check.name, check.target, name_of(check.outcome),
             std::chrono::duration<double, std::micro>(check.latency).count(), check.detail});
    return views;
}

/// One answer for each tunnel, in the order of their names.
struct Gathering {
    std::map<std::string, std::vector<TunnelCheckView>> views;
    std::size_t open = 0;
    std::function<void(Result<std::vector<TunnelCheckView>>)> done;

    void one_less() {
        if (--open > 0) return;
        std::vector<TunnelCheckView> all;
        for (auto& [name, list] : views)
            std::move(list.begin(), list.end(), std::back_inserter(all));
        done(std::move(all));
    }
};

}  // namespace

void Tunnels::check(const std::string& tunnel,
                    std::function<void(Result<std::vector<TunnelCheckView>>)> done) {
    if (!tunnel.empty() && find(tunnel) == nullptr) return done(no_such(tunnel));
    const auto gathering = std::make_shared<Gathering>();
    gathering->done = std::move(done);
    gathering->open = 1;
    for (auto& [name, one] : tunnels_) {
        if (!tunnel.empty() && name != tunnel) continue;
        ++gathering->open;
        one.handle->check(host::Deadline::after(check_limit),
                          [gathering, name = name](const Result<std::vector<TunnelCheck>>& result) {
                              gathering->views[name] = views_of(name, result);
                              gathering->one_less();
                          });
    }
    gathering->one_less();
}

}  // namespace umbra::instance
