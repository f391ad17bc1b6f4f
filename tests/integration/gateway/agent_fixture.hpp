#pragma once

#include "agent_thread.hpp"
#include "integration/gateway/echo_backend.hpp"
#include "integration/gateway/link_fixture.hpp"
#include <umbra/gateway/invitation.hpp>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

namespace umbra::gateway::testing {

/// An operation as the host keeps it, with its result once it is done.
template <class T>
struct Op : umbra_op {
    Op() : umbra_op{sizeof(umbra_op), &on_done, [](const umbra_op*) { return 0; }, 0} {}
    Reply<T> reply() { return Reply<T>{this}; }
    static void on_done(umbra_op* op, const umbra_status* status, const void* result) {
        auto* me = static_cast<Op*>(op);
        me->message = std::string(detail::to_view(status->message));
        if constexpr (std::is_same_v<T, ClaimResult>) {
            if (result) me->value = detail::decode(*static_cast<const umbra_claim_result*>(result));
        } else if constexpr (std::is_same_v<T, TunnelEvent>) {
            if (result) me->value = detail::decode(*static_cast<const umbra_tunnel_event*>(result));
        } else if constexpr (std::is_same_v<T, std::vector<TunnelCheck>>) {
            if (result) me->value = detail::decode(*static_cast<const umbra_check_report*>(result));
        }
        me->code = status->code;  // Last: the test's thread looks at it.
    }
    [[nodiscard]] bool done() const { return code >= 0; }
    [[nodiscard]] bool ok() const { return code == UMBRA_OK; }

    std::atomic<int> code = -1;
    std::string message;
    T value{};
};

/// The host's side of the border.
class TestHost {
public:
    explicit TestHost(std::string state_dir) : state_dir_(std::move(state_dir)) {
        host_ = {sizeof(umbra_host),
                 UMBRA_ABI_MAJOR,
                 UMBRA_ABI_MINOR,
                 this,
                 [](void*, uint32_t) { return 1; },
                 [](void* context, uint32_t, umbra_str text) {
                     static_cast<TestHost*>(context)->log(std::string(detail::to_view(text)));
                 },
                 detail::to_str("alpha"),
                 detail::to_str("main"),
                 detail::to_str(state_dir_)};
    }
    [[nodiscard]] Context context() const { return Context{&host_}; }
    /// The next thread that logs stands still until `thaw()`: like a process that was stopped.
    void freeze() { frozen_ = true; }
    [[nodiscard]] bool is_standing() const { return standing_; }
    void thaw() {
        const std::lock_guard lock(mutex_);
        frozen_ = false;
        changed_.notify_all();
    }

private:
    void log(const std::string&) {
        std::unique_lock lock(mutex_);
        if (!frozen_) return;
        standing_ = true;
        changed_.wait(lock, [this] { return !frozen_.load(); });
    }
    std::string state_dir_;
    umbra_host host_{};
    std::atomic<bool> frozen_ = false, standing_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
};

/// The other end as the test plays it: a real link, and answers by hand.
class PlayedGateway {
public:
    struct Peer {
        std::shared_ptr<Link> link;
        std::vector<ControlMessage> control;
        bool closed = false;
    };
    explicit PlayedGateway(asio::io_context& io)
        : io_(io), identity_(identity_in(dir_.path(), Side::gateway)) {
        view.in_sync = {{"alpha", "i1"}};
        listen({asio::ip::address_v4::loopback(), 0});
    }
    void listen(const tcp::endpoint& at) {
        acceptor_.emplace(io_, at);
        at_ = acceptor_->local_endpoint();
        accept();
    }
    void go_away() {
        acceptor_.reset();
        for (auto& peer : peers) peer->link->close("going away");
    }
    void come_back() { listen(at_); }

    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(at_.port()); }
    [[nodiscard]] const std::string& pin() const { return identity_.pin(); }
    [[nodiscard]] const std::filesystem::path& dir() const { return dir_.path(); }
    /// The key on the disk, from the next link on.
    void read_key() { identity_ = identity_in(dir_.path(), Side::gateway); }
    [[nodiscard]] std::size_t up() const {
        std::size_t count = 0;
        for (const auto& peer : peers) count += peer->link->is_open() ? 1 : 0;
        return count;
    }
    [[nodiscard]] std::shared_ptr<Link> any() const {
        for (const auto& peer : peers)
            if (peer->link->is_open()) return peer->link;
        return nullptr;
    }
    template <class M>
    [[nodiscard]] std::vector<M> got() const {
        std::vector<M> found;
        for (const auto& peer : peers)
            for (const auto& message : peer->control)
                if (const auto* m = std::get_if<M>(&message)) found.push_back(*m);
        return found;
    }
    void push(const ControlMessage& message) {
        for (auto& peer : peers) peer->link->send(message);
    }

    std::vector<std::shared_ptr<Peer>> peers;
    std::vector<std::shared_ptr<Stream>> offered;  ///< That the agent opened.
    RegisterView view;
    std::uint32_t ping_ms = 20;
    std::uint32_t lease_ms = 300;
    std::optional<Digest> invitation_secret;
    std::optional<msg::Refused> refusal;

private:
    void accept() {
        acceptor_->async_accept([this](boost::system::error_code error, tcp::socket socket) {
            if (error) return;
            auto peer = std::make_shared<Peer>();
            peer->link = Link::make(std::move(socket), identity_, {});
            peers.push_back(peer);
            Peer* p = peer.get();
            peer->link->start({.on_ready = {},
                               .on_control = [this, p](const ControlMessage& m) { on(*p, m); },
                               .on_open =
                                   [this](std::shared_ptr<Stream> stream) {
                                       offered.push_back(std::move(stream));
                                   },
                               .on_closed = [p](const LinkClosed&) { p->closed = true; }});
            accept();
        });
    }
    void on(Peer& peer, const ControlMessage& message) {
        peer.control.push_back(message);
        Link& link = *peer.link;
        if (const auto* enrol = std::get_if<msg::Enrol>(&message)) {
            const auto expected =
                enrol_proof(invitation_secret.value_or(Digest{}),
                            *link.exporter(enrol_exporter_label, enrol_exporter_bytes));
            if (*expected == enrol->proof)
                link.send(msg::Enrolled{.gateway = "cloud"});
            else
                link.send(msg::Refused{RefusalCode::bad_invitation, "the proof does not fit"});
            link.close("enrolment over");
        } else if (std::holds_alternative<msg::Hello>(message)) {
            if (refusal) {
                link.send(*refusal);
                return link.close("refused");
            }
            link.admit({}, {}, {});
            link.send(msg::Welcome{"cloud", view, ping_ms, lease_ms});
        } else if (const auto* claim = std::get_if<msg::Claim>(&message)) {
            const bool granted = claim->epoch == view.epoch + 1;
            if (granted) {
                view.epoch = claim->epoch;
                view.holder = "alpha";
                view.holder_alive = true;
            }
            link.send(msg::ClaimAnswer{claim->ask, granted, view, granted ? "" : "too old"});
        } else if (const auto* activate = std::get_if<msg::Activate>(&message)) {
            if (activate->epoch == view.epoch)
                link.send(msg::Activated{activate->ask, activate->epoch});
            else
                link.send(msg::RefusedEpoch{activate->ask, view});
        } else if (const auto* consent = std::get_if<msg::Consent>(&message)) {
            link.send(msg::Answer{consent->ask, true, ""});
        } else if (const auto* in_sync = std::get_if<msg::InSync>(&message)) {
            const bool newer = in_sync->seq > view.in_sync_seq;
            if (newer) view.in_sync_seq = in_sync->seq;
            link.send(msg::Answer{in_sync->ask, newer, newer ? "" : "a newer set is known"});
        }
    }

    asio::io_context& io_;
    TempDir dir_;
    TlsIdentity identity_;
    std::optional<tcp::acceptor> acceptor_;
    tcp::endpoint at_;
};

}  // namespace umbra::gateway::testing
