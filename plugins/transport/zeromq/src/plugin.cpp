#include "engine.hpp"
#include <umbra/sdk/export.hpp>
#include <umbra/sdk/transport.hpp>

#include <utility>

namespace umbra::zeromq {

/// The plugin as the host sees it: every call is handed to the socket thread.
class ZeroMqTransport final : public Transport {
public:
    static constexpr PluginInfo info{"zeromq", "0.1.0",
                                     "Updates and questions over ZeroMQ with CURVE."};
    static constexpr auto schema = umbra::options<Options>(
        opt<&Options::publish>("publish")
            .type(UMBRA_OPT_URL)
            .required()
            .help("Where this instance publishes updates, for example tcp://0.0.0.0:7401."),
        opt<&Options::respond>("respond")
            .type(UMBRA_OPT_URL)
            .required()
            .help("Where this instance answers questions, for example tcp://0.0.0.0:7402."),
        opt<&Options::heartbeat>("heartbeat")
            .def("\"250ms\"")
            .range("\"20ms\"", "\"10s\"")
            .help("Interval of the heartbeats on dialled connections; four missed ones in a row "
                  "break a connection."),
        opt<&Options::handshake_interval>("handshake_interval")
            .def("\"3s\"")
            .range("\"200ms\"", "\"60s\"")
            .help("A connection that has not authenticated itself after this is cut."),
        opt<&Options::max_message>("max_message")
            .type(UMBRA_OPT_SIZE)
            .def("\"1MiB\"")
            .range("\"64KiB\"", "\"64MiB\"")
            .help("Largest part of a message; must be the same on both sides."));

    ZeroMqTransport(Context context, Options options)
        : engine_(context, with_defaults(std::move(options))) {}

    void open(TransportSpec spec, Reply<TransportOpened> reply) override {
        engine_.submit(std::move(reply), [spec = std::move(spec)](Engine& e, auto r) mutable {
            e.open(std::move(spec), std::move(r));
        });
    }
    void reconfigure(TransportSpec spec, Reply<Done> reply) override {
        engine_.submit(std::move(reply), [spec = std::move(spec)](Engine& e, auto r) mutable {
            e.reconfigure(std::move(spec), std::move(r));
        });
    }
    void publish(Frames frames, Reply<Done> reply) override {
        engine_.submit(std::move(reply), [frames = std::move(frames)](Engine& e, auto r) {
            e.publish(frames, std::move(r));
        });
    }
    void request(Frames frames, Reply<Frames> reply) override {
        engine_.submit(std::move(reply), [frames = std::move(frames)](Engine& e, auto r) mutable {
            e.request(std::move(frames), std::move(r));
        });
    }
    void next_event(Reply<TransportEvent> reply) override { engine_.next_event(std::move(reply)); }
    void answer(std::uint64_t id, Frames frames, Reply<Done> reply) override {
        engine_.submit(std::move(reply), [id, frames = std::move(frames)](Engine& e, auto r) {
            e.answer(id, frames, std::move(r));
        });
    }
    void set_pong(std::string ping, Frames pong, Reply<Done> reply) override {
        // The age counts from here, not from when the socket thread gets to it.
        Pong value{std::move(ping), std::move(pong), Clock::now()};
        engine_.submit(std::move(reply), [value = std::move(value)](Engine& e, auto r) mutable {
            e.set_pong(std::move(value), std::move(r));
        });
    }
    void mint(Reply<Minted> reply) override {
        const KeyPair pair = make_key_pair();
        reply.ok({pair.public_key, pair.secret_key});
    }
    void introduce(std::string respond, std::string server_identity, std::string secret,
                   Frames frames, Reply<Frames> reply) override {
        engine_.submit(
            std::move(reply),
            [respond = std::move(respond), server = std::move(server_identity),
             secret = std::move(secret), frames = std::move(frames)](Engine& e, auto r) mutable {
                e.introduce(respond, server, secret, std::move(frames), std::move(r));
            });
    }
    void stop(Reply<Done> reply) override {
        engine_.submit_always(std::move(reply), [](Engine& e, auto r) { e.stop(std::move(r)); });
    }

private:
    static Options with_defaults(Options options) {
        if (options.max_message <= 0) options.max_message = message_bytes_max;
        return options;
    }

    Engine engine_;
};

}  // namespace umbra::zeromq

UMBRA_PLUGIN(umbra::zeromq::ZeroMqTransport)
