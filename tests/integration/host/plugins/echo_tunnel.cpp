// A tunnel provider that tells as events what it was asked, so that a test sees what crossed.
#include <umbra/sdk/export.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <deque>

namespace {

using umbra::Done;
using umbra::Reply;
using umbra::TunnelEvent;
using umbra::TunnelState;

struct Options {};

constexpr const char* abilities[] = {UMBRA_CAP_FENCES, nullptr};

class Echo final : public umbra::TunnelProvider {
public:
    static constexpr umbra::PluginInfo info{"echo", "1.0.0", "Tells what it was asked.",
                                            "Apache-2.0", abilities};
    static constexpr auto schema = umbra::options<Options>();

    Echo(umbra::Context, Options) {}

    void open(umbra::TunnelSpec spec, Reply<Done> reply) override {
        reply.ok();
        tell_spec("open", spec);
    }
    void configure(umbra::TunnelSpec spec, Reply<Done> reply) override {
        reply.ok();
        tell_spec("configure", spec);
    }
    void claim(std::uint64_t epoch, umbra::ClaimReason reason,
               Reply<umbra::ClaimResult> reply) override {
        if (reason == umbra::ClaimReason::forced) throw std::runtime_error("no force, please");
        reply.ok({reason == umbra::ClaimReason::first,
                  {true,
                   epoch,
                   "alpha",
                   true,
                   9,
                   {{"alpha", "i1"}, {"beta", "i2"}},
                   std::chrono::milliseconds{38}},
                  "holder alpha was heard 38 ms ago"});
    }
    void activate(std::uint64_t epoch, Reply<Done> reply) override {
        reply.ok();
        tell("activate " + std::to_string(epoch), TunnelState::active);
    }
    void drain(umbra::Duration grace, Reply<Done> reply) override {
        reply.ok();
        tell("drain " + std::to_string(grace.count()), TunnelState::draining);
    }
    void set_in_sync(std::uint64_t epoch, std::uint64_t seq, std::vector<umbra::Member> members,
                     Reply<Done> reply) override {
        reply.ok();
        TunnelEvent event{TunnelEvent::Type::reg, TunnelState::standby, 2, 5, 7, {}, "set_in_sync"};
        event.reg = {true, epoch, "alpha", false, seq, std::move(members), {}};
        tell(std::move(event));
    }
    void enrol(std::string invitation, Reply<Done> reply) override {
        reply.ok();
        tell("enrol " + invitation, TunnelState::refused);
    }
    void rotate_key(Reply<Done> reply) override {
        reply.ok();
        tell("rotate key", TunnelState::active);
    }
    void check(Reply<std::vector<umbra::TunnelCheck>> reply) override {
        using Check = umbra::TunnelCheck;
        reply.ok({{Check::Kind::mapping, "crm", "a:1", Check::Outcome::ok,
                   std::chrono::milliseconds{3}, ""},
                  {Check::Kind::channel, "db", "b:2", Check::Outcome::skipped, {}, "not active"}});
    }
    void next_event(Reply<TunnelEvent> reply) override {
        waiting_ = std::move(reply);
        serve();
    }
    void stop(Reply<Done> reply) override {
        if (waiting_) waiting_.fail(umbra::Errc::closed, "stopping");
        reply.ok();
    }

private:
    void tell_spec(const std::string& what, const umbra::TunnelSpec& spec) {
        std::string text =
            what + " " + spec.node + " " + spec.incarnation + " " + std::to_string(spec.epoch);
        for (const auto& m : spec.mappings)
            text += " [" + m.name + " " + m.virtual_host + ":" + std::to_string(m.virtual_port) +
                    "-" + std::to_string(m.virtual_port_last) + " " + m.internal_host + ":" +
                    std::to_string(m.internal_port) + " " + m.protocol + (m.active ? "" : " off") +
                    more(m) + "]";
        for (const auto& c : spec.channels)
            text += " {" + c.name + " " + c.listen + " " + c.target + "}";
        tell(text, TunnelState::connecting);
    }
    static std::string more(const umbra::Mapping& m) {
        std::string text;
        for (const auto& b : m.backends)
            text += " " + b.host + ":" + std::to_string(b.port) + (b.down ? " down" : "");
        for (const auto& part : {m.tls.server_name, m.tls.ca_file, m.tls.pin})
            if (!part.empty()) text += " " + part;
        text += (m.proxy_v2 ? " proxy" : "") + std::string(m.rewrite_host ? " host" : "");
        for (const auto& r : m.resources) {
            text += " <" + r.name + " " + r.path + (r.sub_paths ? " below" : "");
            for (const auto& method : r.methods) text += " " + method;
            text += (r.upgrade ? " upgrade" : "") + std::string(r.active ? ">" : " off>");
        }
        return text;
    }
    void tell(std::string detail, TunnelState state) {
        tell({TunnelEvent::Type::state, state, 0, 0, 0, {}, std::move(detail)});
    }
    void tell(TunnelEvent event) {
        events_.push_back(std::move(event));
        serve();
    }
    void serve() {
        if (!waiting_ || events_.empty()) return;
        const auto event = std::move(events_.front());
        events_.pop_front();
        waiting_.ok(event);
    }
    std::deque<TunnelEvent> events_;
    Reply<TunnelEvent> waiting_;
};

}  // namespace

UMBRA_PLUGIN(Echo)
