#include "agent_thread.hpp"

#include <boost/asio/post.hpp>

#include <csignal>

namespace umbra::gateway {

namespace asio = boost::asio;

namespace {

AgentOptions checked(AgentOptions options) {
    if (options.pin && !is_pin(*options.pin))
        throw Failure(Errc::invalid, "pin = \"" + *options.pin +
                                         "\" is not sha256: and 64 hexadecimal digits in lower "
                                         "case; umbra-gateway status prints the right one");
    if (auto rules = AddressRules::make(options.permit_networks); !rules)
        throw Failure(Errc::invalid, "permit_networks: " + rules.error().message);
    return options;
}

Route route_of(const AgentOptions& options) {
    auto endpoint = parse_endpoint(options.address);
    if (!endpoint) throw Failure(Errc::invalid, "address: " + endpoint.error().message);
    auto proxy = choose_proxy({options.proxy, options.proxy_user, options.proxy_password_file},
                              ProxyEnvironment::of_process(), *endpoint);
    if (!proxy) throw Failure(proxy.error().code, proxy.error().message);
    return {std::move(*endpoint), std::move(*proxy)};
}

}  // namespace

GatewayTunnel::GatewayTunnel(Context context, AgentOptions options)
    : context_(context),
      io_(std::make_unique<asio::io_context>(1)),
      agent_(std::make_unique<Agent>(*io_, context, checked(options), route_of(options))),
      work_(io_->get_executor()) {
    // Signals are the host's business.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

GatewayTunnel::~GatewayTunnel() {
    if (!stop_asked_) stop(Reply<Done>{});
    thread_.join();
}

void GatewayTunnel::run() {
    for (;;) {
        try {
            io_->run();
            break;
        } catch (const std::exception& failure) {
            // One handler failed; whoever waited for it was answered by its dropped reply.
            context_.error(std::string("internal error in the tunnel: ") + failure.what());
        }
    }
    // Everything goes before the answer: also the resolver's thread, which the loop owns.
    Reply<Done> stopped = std::move(stopped_);
    agent_.reset();
    io_.reset();
    stopped.ok();
}

void GatewayTunnel::stop(Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::conflict, "the tunnel is stopping already");
    stop_asked_ = true;
    asio::post(*io_, [this, held = std::make_shared<Reply<Done>>(std::move(reply))] {
        stopped_ = std::move(*held);
        agent_->stop();
        work_.reset();
    });
}

/// Moves the call over, with its reply. After stop() there is no loop any more to move it to.
template <class F>
void GatewayTunnel::post(F work) {
    auto held = std::make_shared<F>(std::move(work));
    asio::post(*io_, [this, held] { (*held)(*agent_); });
}

void GatewayTunnel::open(TunnelSpec spec, Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([spec = std::move(spec), reply = std::move(reply)](Agent& agent) mutable {
        agent.open(std::move(spec), std::move(reply));
    });
}

void GatewayTunnel::claim(std::uint64_t epoch, umbra::ClaimReason reason,
                          Reply<ClaimResult> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([epoch, reason, reply = std::move(reply)](Agent& agent) mutable {
        agent.claim(epoch, reason, std::move(reply));
    });
}

void GatewayTunnel::activate(std::uint64_t epoch, Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([epoch, reply = std::move(reply)](Agent& agent) mutable {
        agent.activate(epoch, std::move(reply));
    });
}

void GatewayTunnel::configure(TunnelSpec spec, Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([spec = std::move(spec), reply = std::move(reply)](Agent& agent) mutable {
        agent.configure(std::move(spec), std::move(reply));
    });
}

void GatewayTunnel::consent(std::uint64_t epoch, std::string successor, Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([epoch, successor = std::move(successor), reply = std::move(reply)](Agent& agent) mutable {
        agent.consent(epoch, std::move(successor), std::move(reply));
    });
}

void GatewayTunnel::drain(Duration grace, Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([grace, reply = std::move(reply)](Agent& agent) mutable {
        agent.drain(grace, std::move(reply));
    });
}

void GatewayTunnel::next_event(Reply<TunnelEvent> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([reply = std::move(reply)](Agent& agent) mutable { agent.next_event(std::move(reply)); });
}

void GatewayTunnel::set_in_sync(std::uint64_t epoch, std::uint64_t seq,
                                std::vector<umbra::Member> members, Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post(
        [epoch, seq, members = std::move(members), reply = std::move(reply)](Agent& agent) mutable {
            agent.set_in_sync(epoch, seq, std::move(members), std::move(reply));
        });
}

void GatewayTunnel::enrol(std::string invitation, Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([invitation = std::move(invitation), reply = std::move(reply)](Agent& agent) mutable {
        agent.enrol(invitation, std::move(reply));
    });
}

void GatewayTunnel::check(Reply<std::vector<TunnelCheck>> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([reply = std::move(reply)](Agent& agent) mutable { agent.check(std::move(reply)); });
}

void GatewayTunnel::rotate_key(Reply<Done> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
    post([reply = std::move(reply)](Agent& agent) mutable { agent.rotate_key(std::move(reply)); });
}

}  // namespace umbra::gateway
