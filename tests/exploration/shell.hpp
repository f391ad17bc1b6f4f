#pragma once

#include "party.hpp"
#include <umbra/core/fact.hpp>

#include <deque>
#include <string>

namespace umbra::exploration {

/// Carries one input to the node of a party and its wishes out: what shell, transport and tunnel
/// agent do in production, without their threads. Lives for one step.
class Shell {
public:
    Shell(Party& party, Mutant mutant, Texts& texts, Outs& out, std::uint16_t used)
        : p_(party), mutant_(mutant), texts_(texts), out_(out), used_(used) {}

    void take(const Input& input);

private:
    // --- life and disk, shell.cpp
    void boot(bool reachable);
    void crash(const Input& input);
    void pass();
    void tick(const Input& input);
    void finish_persist();
    void finish_store();
    void apply(const Write& write);
    void replace(const Write& write);
    [[nodiscard]] core::Log load();
    void edit(std::uint8_t number);

    // --- effects, shell.cpp
    void tell(core::Fact fact) { facts_.push_back(std::move(fact)); }
    void run();
    void carry_out(const core::Effect& one);
    void store(Write write);
    void speak(Out::Kind kind, std::uint8_t slot, const std::string& bytes);
    void ask_peer(core::AskId ask, bool ping, const std::string& bytes);
    void answered(const Input& input);
    void acts(core::Epoch epoch);
    void violate(const std::string& text);

    // --- agent, uplink.cpp
    void dial(bool reachable);
    void hang_up(bool told);
    void opened(const Letter& letter);
    void on_view(const View& view);
    void changed();
    void tell_view(bool holder_lost);
    void resume_serving();
    void stop_serving();
    void fenced(const Letter& letter);
    void answered(const Letter& letter);
    void ask_gateway(Party::GateKind kind, core::AskId ask, Letter letter);
    void fail(const Party::GateAsk& ask);
    void activate(core::Epoch epoch);
    void drain(Duration grace);
    [[nodiscard]] TunnelState tunnel_state() const;

    Party& p_;
    const Mutant mutant_;
    Texts& texts_;
    Outs& out_;
    std::uint16_t used_;
    std::deque<core::Fact> facts_;
};

}  // namespace umbra::exploration
