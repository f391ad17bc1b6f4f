#pragma once

#include <umbra/host/handles.hpp>
#include <umbra/host/library.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace umbra::test {

using namespace std::chrono_literals;
using Type = TransportEvent::Type;
using Clock = std::chrono::steady_clock;

/// Longest wait for something that should happen soon, on a machine that does much else.
constexpr auto patience = 20s;

/// A directory that goes with the test.
class TempDir {
public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "umbra-zmq-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// The one thread of a host: runs only while somebody calls `turn()`, so a host that is asleep is
/// one that nobody turns.
class HostLoop final : public host::Timers {
public:
    void post(std::function<void()> fn) {
        const std::scoped_lock lock{mutex_};
        queue_.push_back(std::move(fn));
        ready_.notify_all();
    }
    [[nodiscard]] Instant now() const override { return Instant{Clock::now().time_since_epoch()}; }
    Id schedule(Instant at, std::function<void()> fn) override {
        timers_.emplace(++last_id_, std::pair{at, std::move(fn)});
        return last_id_;
    }
    void cancel(Id id) override { timers_.erase(id); }

    /// Runs what is due; waits at most `wait` for the first.
    void turn(std::chrono::milliseconds wait) {
        std::deque<std::function<void()>> due;
        {
            std::unique_lock lock{mutex_};
            ready_.wait_for(lock, wait, [this] { return !queue_.empty(); });
            due.swap(queue_);
        }
        for (auto& fn : due) fn();
        for (auto timer = timers_.begin(); timer != timers_.end();) {
            if (timer->second.first > now()) {
                ++timer;
                continue;
            }
            auto fn = std::move(timer->second.second);
            timer = timers_.erase(timer);
            fn();
            timer = timers_.begin();
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::function<void()>> queue_;
    std::map<Id, std::pair<Instant, std::function<void()>>> timers_;
    Id last_id_ = 0;
};

/// On free ports of this machine; no peer yet.
inline TransportSpec listening() {
    TransportSpec spec;
    spec.own_publish = spec.own_respond = "tcp://127.0.0.1:*";
    return spec;
}

/// One instance of the real plugin behind the host's handle, with what came out of it.
class Side {
public:
    explicit Side(std::filesystem::path state_dir) {
        static const auto loaded = host::load_plugin(UMBRA_ZEROMQ_PLUGIN, UMBRA_KIND_TRANSPORT);
        if (!loaded.ok()) {
            ADD_FAILURE() << loaded.error().message;
            std::abort();
        }
        const umbra_plugin& plugin = *loaded->plugin;
        std::vector<umbra_value> values(plugin.option_count);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::string key = plugin.options[i].key;
            values[i].type = plugin.options[i].type;
            values[i].present = 1;
            if (key == "heartbeat") values[i].integer = 100'000'000;
            if (key == "handshake_interval") values[i].integer = 3'000'000'000;
            if (key == "max_message") values[i].integer = 1 << 20;
        }
        host::InstanceSpec instance{"test", "zeromq", std::move(state_dir), values.data(),
                                    values.size()};
        host::LogSink log{[](umbra_log_level level) { return level >= UMBRA_LOG_WARN; },
                          [](umbra_log_level, std::string_view room, std::string_view text) {
                              std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(room.size()),
                                           room.data(), static_cast<int>(text.size()), text.data());
                          }};
        auto made = host::TransportHandle::make(
            plugin, instance,
            {[this](auto fn) { loop.post(std::move(fn)); }, &loop, std::move(log)});
        if (!made.ok()) {
            ADD_FAILURE() << made.error().message;
            std::abort();
        }
        handle = std::move(made).value();
    }
    ~Side() { stop(); }
    Side(const Side&) = delete;
    Side& operator=(const Side&) = delete;

    /// Turns this host (and others that are awake) until `condition` holds.
    [[nodiscard]] bool run_until(const std::function<bool()>& condition,
                                 std::chrono::nanoseconds limit = patience,
                                 const std::vector<Side*>& also = {}) {
        const auto end = Clock::now() + limit;
        while (!condition()) {
            if (Clock::now() > end) return false;
            loop.turn(1ms);
            for (auto* side : also) side->loop.turn(0ms);
        }
        return true;
    }

    template <class T>
    using Slot = std::shared_ptr<std::optional<Result<T>>>;
    /// Starts an operation; its result appears in the slot.
    template <class T, class F>
    Slot<T> start(F begin) {
        auto slot = std::make_shared<std::optional<Result<T>>>();
        begin(host::Callback<T>{[slot](Result<T> result) { slot->emplace(std::move(result)); }});
        return slot;
    }
    template <class T>
    Result<T> finish(const Slot<T>& slot, const std::vector<Side*>& also = {}) {
        if (!run_until([&] { return slot->has_value(); }, 2 * patience, also))
            return Error{Errc::internal, "the test waited in vain"};
        return **slot;
    }

    Result<TransportOpened> open(TransportSpec wanted) {
        spec = std::move(wanted);
        auto result = finish(start<TransportOpened>([&](auto done) {
            handle->open(spec, host::Deadline::after(patience), std::move(done));
        }));
        if (result.ok()) {
            spec.own_publish = result->own_publish;
            spec.own_respond = result->own_respond;
            identity = result->identity;
            pull();
        }
        return result;
    }
    Result<TransportOpened> open() { return open(listening()); }
    Result<Done> reconfigure() {
        return finish(start<Done>([&](auto done) {
            handle->reconfigure(spec, host::Deadline::after(patience), std::move(done));
        }));
    }
    void know(const Side& peer) {
        spec.peer_publish = peer.spec.own_publish;
        spec.peer_respond = peer.spec.own_respond;
        spec.peer_identity = peer.identity;
    }
    Slot<Frames> ask(const Frames& frames, std::chrono::nanoseconds limit = patience) {
        return start<Frames>([&](auto done) {
            handle->request(frames, host::Deadline::after(limit), std::move(done));
        });
    }
    Result<Done> answer(std::uint64_t id, const Frames& frames) {
        return finish(start<Done>([&](auto done) {
            handle->answer(id, frames, host::Deadline::after(patience), std::move(done));
        }));
    }
    Result<Done> publish(const Frames& frames) {
        return finish(start<Done>([&](auto done) {
            handle->publish(frames, host::Deadline::after(patience), std::move(done));
        }));
    }
    Result<Done> set_pong(const std::string& ping, const Frames& pong) {
        return finish(start<Done>([&](auto done) {
            handle->set_pong(ping, pong, host::Deadline::after(patience), std::move(done));
        }));
    }
    Result<Minted> mint() {
        return finish(start<Minted>(
            [&](auto done) { handle->mint(host::Deadline::after(patience), std::move(done)); }));
    }
    void stop() {
        if (!handle) return;
        const auto stopped = finish(start<Done>(
            [&](auto done) { handle->stop(host::Deadline::after(patience), std::move(done)); }));
        EXPECT_TRUE(stopped.ok()) << stopped.error().message;
        handle.reset();
    }

    /// Asks for events for ever; they gather in `events`.
    void pull() {
        handle->next_event(host::Deadline::none(), [this](Result<TransportEvent> event) {
            if (!event.ok()) return;
            events.push_back(event.value());
            if (on_event) on_event(events.back());
            if (handle)
                loop.post([this] {
                    if (handle) pull();
                });
        });
    }
    [[nodiscard]] std::size_t count(Type type) const {
        std::size_t n = 0;
        for (const auto& event : events) n += event.type == type ? 1 : 0;
        return n;
    }
    [[nodiscard]] bool wait_for(Type type, std::size_t at_least = 1,
                                const std::vector<Side*>& also = {}) {
        return run_until([&] { return count(type) >= at_least; }, patience, also);
    }
    [[nodiscard]] const TransportEvent& last(Type type) const {
        for (auto event = events.rbegin(); event != events.rend(); ++event)
            if (event->type == type) return *event;
        std::abort();
    }
    /// Answers every question with its frames and one more.
    void answer_all() {
        on_event = [this](const TransportEvent& event) {
            if (event.type != Type::asked) return;
            Frames frames = event.frames;
            frames.push_back("answered");
            handle->answer(event.id, frames, host::Deadline::after(patience), [](auto) {});
        };
    }

    HostLoop loop;
    std::unique_ptr<host::TransportHandle> handle;
    TransportSpec spec;
    std::string identity;
    std::vector<TransportEvent> events;
    std::function<void(const TransportEvent&)> on_event;
};

/// Two instances that know and permit each other.
class ZeroMqPair : public ::testing::Test {
protected:
    ZeroMqPair() : a{dir_.path() / "a"}, b{dir_.path() / "b"} {}
    void SetUp() override {
        for (auto* side : {&a, &b}) {
            const auto opened = side->open();
            ASSERT_TRUE(opened.ok()) << opened.error().message;
        }
        a.know(b);
        b.know(a);
        ASSERT_TRUE(a.reconfigure().ok());
        ASSERT_TRUE(b.reconfigure().ok());
        ASSERT_TRUE(a.wait_for(Type::link_up));
        ASSERT_TRUE(b.wait_for(Type::link_up));
    }
    /// Both ways; also proves that the subscriptions have arrived.
    void expect_all_works() {
        a.answer_all();
        b.answer_all();
        for (auto [from, to] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
            const auto answer = from->finish(from->ask({"still", "there?"}), {to});
            ASSERT_TRUE(answer.ok()) << answer.error().message;
            EXPECT_EQ(answer.value(), (Frames{"still", "there?", "answered"}));
            const auto before = to->count(Type::update);
            ASSERT_TRUE(to->run_until(
                [&, source = from, target = to] {
                    EXPECT_TRUE(source->publish({"update"}).ok());
                    return target->count(Type::update) > before;
                },
                patience, {from}));
        }
    }

    TempDir dir_;
    Side a, b;
};

}  // namespace umbra::test
