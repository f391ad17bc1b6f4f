#pragma once

#include "event_port.hpp"
#include "introductions.hpp"
#include "keys.hpp"
#include "mailbox.hpp"
#include "peer_link.hpp"
#include "permits.hpp"
#include "service.hpp"
#include "zap.hpp"
#include <umbra/sdk/transport.hpp>

#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace umbra::zeromq {

/// The socket thread: owns the ZeroMQ context and every socket, carries out what the host asks, and
/// keeps events until the host pulls them. Everything but the constructor, the destructor,
/// `submit()` and `next_event()` runs on that thread.
///
/// Fails closed: when the ZAP handler ends, or something unexpected is thrown, every socket is
/// closed and every operation is answered with the reason.
class Engine {
public:
    Engine(Context context, Options options);
    /// Waits for the thread. @pre stop() was answered, or nothing was ever asked.
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Runs `f(engine, reply)` on the socket thread.
    template <class T, class F>
    void submit(Reply<T> reply, F f) {
        mailbox_.post(
            std::make_unique<Call<T, F>>(std::move(reply), std::move(f), Broken::is_told));
    }
    /// The same also after everything was closed because of a fault.
    template <class T, class F>
    void submit_always(Reply<T> reply, F f) {
        mailbox_.post(
            std::make_unique<Call<T, F>>(std::move(reply), std::move(f), Broken::is_handled));
    }

    /// Threads: any.
    void next_event(Reply<TransportEvent> reply) { events_.take(std::move(reply)); }

    void open(TransportSpec spec, Reply<TransportOpened> reply);
    void reconfigure(TransportSpec spec, Reply<Done> reply);
    void publish(const Frames& frames, Reply<Done> reply);
    void request(Frames frames, Reply<Frames> reply);
    void answer(std::uint64_t id, const Frames& frames, Reply<Done> reply);
    void set_pong(Pong pong, Reply<Done> reply);
    void introduce(const std::string& respond, const std::string& server_identity,
                   const std::string& secret, Frames frames, Reply<Frames> reply);
    void stop(Reply<Done> reply);

private:
    enum class Broken : std::uint8_t { is_told, is_handled };

    template <class T, class F>
    struct Call final : Command {
        Call(Reply<T> r, F f, Broken when_broken)
            : reply(std::move(r)), function(std::move(f)), broken(when_broken) {}
        void run(Engine& engine) override {
            if (engine.broken_ && broken == Broken::is_told) {
                reply.fail(*engine.broken_);
            } else {
                function(engine, std::move(reply));
            }
        }
        void refuse() override { reply.fail(Errc::closed, "the transport is stopping"); }
        Reply<T> reply;
        F function;
        Broken broken;
    };

    void run();
    void set_up();
    void turn();
    void tear_down();
    void break_off(const Error& why);
    void close_all(const Error& why);

    [[nodiscard]] Result<Done> check(const TransportSpec& spec) const;
    void dial_peer();
    /// False when it failed: the reply is answered and everything closed.
    template <class T>
    [[nodiscard]] bool try_dial_peer(Reply<T>& reply);
    bool emit(TransportEvent event);
    void report(TimePoint now);

    Context host_;
    Options options_;
    Mailbox mailbox_;
    bool stopping_ = false;
    Reply<Done> stopped_;
    std::optional<Error> broken_;

    Permits permits_;
    zmq::context_t zmq_;
    std::unique_ptr<Zap> zap_;
    std::optional<Service> service_;
    std::optional<PeerLink> link_;
    Introductions introductions_;

    KeyPair own_;
    TransportSpec spec_;
    bool is_open_ = false;

    EventPort events_;
    TimePoint reported_at_{};
    std::uint64_t dropped_told_ = 0;

    std::thread thread_;
};

}  // namespace umbra::zeromq
