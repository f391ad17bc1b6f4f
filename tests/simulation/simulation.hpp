#pragma once

#include "checker.hpp"
#include "gateway.hpp"
#include "instance.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace umbra::simulation {

/// A pair, its gateway, its clients, its operators and its bad luck; first chaos, then healing,
/// then a question whose answer is known (`Epilogue`).
class Simulation {
public:
    explicit Simulation(const Options& options);

    void play();
    [[nodiscard]] const World& world() const { return world_; }

private:
    /// What is asked of the healed pair.
    enum class Epilogue : std::uint8_t {
        none,
        one_survives,  ///< L4: one dies for good.
        nobody_may,    ///< L6: the only one in sync loses its disk.
        starts_alone,  ///< L7: both were down, one comes back.
    };

    // simulation.cpp
    void run_until(Instant until) {
        world_.run_until(until, [this] { checker_.look(); });
    }
    void run_for(Duration time) { run_until(world_.now() + time); }
    void note_disturbances();
    void check_messages() const;
    void check_calm();

    // bad_luck.cpp
    void choose_faults();
    void choose_rates();
    void inject(Fault fault);
    void strike(Fault fault);
    void strike_link(Fault fault);
    void strike_process(Fault fault);
    void strike_disk(Fault fault);
    void take_down(Instance& instance, Fault fault, bool host_down, bool wipe);
    void cut(std::size_t a, std::size_t b, Duration time);
    [[nodiscard]] bool may_lose_disk(const Instance& instance) const;

    // people.cpp
    void order(Fault fault);
    void serve_clients();
    void edit();
    void submit(Instance& instance, const std::string& op, std::optional<core::Revision> base);
    [[nodiscard]] std::optional<core::Revision> some_base(const Instance& instance);
    void on_reply(Instance& instance, core::RequestId id, const core::effect::Reply& reply);
    void help();
    void take_back_orders();
    core::RequestId request() { return ++last_request_; }

    // healing.cpp
    void heal();
    void settle();
    void expect_alert() const;
    void expect_compacted();
    void expect_edit(Instance& master, Duration limit);
    void play_epilogue();
    void one_survives();
    void nobody_may();
    void starts_alone();
    void await_active(Instance& instance, Duration limit, const std::string& rule);
    [[nodiscard]] Instance* active_master() const;
    [[nodiscard]] std::string unrest() const;
    [[nodiscard]] std::string unrest_of_gateway(const Instance& master,
                                                const Instance& shadow) const;

    Instance& any(Random& random) { return random.chance(500) ? alpha_ : beta_; }
    Instance& other(const Instance& instance) { return &instance == &alpha_ ? beta_ : alpha_; }

    const Options options_;
    World world_;
    const bool fenced_;
    const Epilogue epilogue_;
    std::array<Instance*, 2> instances_{};
    Checker checker_;
    Gateway gateway_;
    Instance alpha_, beta_;
    bool chaos_ = true;
    std::array<Duration, fault_count> mean_interval_{};
    std::map<core::RequestId, Checker::Edit> requests_;
    core::RequestId last_request_ = 0;
    std::map<std::string, std::uint64_t> attempts_of_;
    std::vector<std::string> ops_;  ///< Asked for and not acknowledged yet.
    std::vector<std::string> done_;
    std::vector<core::Revision> bases_;  ///< What editors saw lately.
    std::uint64_t last_op_ = 0;
    std::uint64_t attempts_ = 0;
    bool help_is_due_ = false;  ///< What happened can leave the pair to an operator.
};

}  // namespace umbra::simulation
