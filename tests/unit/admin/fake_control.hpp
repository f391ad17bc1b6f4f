#pragma once

#include <umbra/config/shared_document.hpp>
#include <umbra/instance/control.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace umbra::test {

/// The world of the admin API: an instance without a peer or tunnels of its own. It remembers what
/// it was asked and, as the real one, answers on a thread of its own.
class FakeControl final : public instance::Control {
public:
    using Reply = instance::Reply;

    FakeControl() {
        thread_ = std::thread{[this] { loop(); }};
    }
    ~FakeControl() override {
        post({});
        thread_.join();
    }

    // What a test sets and sees. Set before a request, read after its answer.
    instance::Status now;
    Reply next;  ///< The answer to everything but show() and edit().
    core::Document document;
    std::vector<std::string> calls;  ///< "switch force", in order.
    std::vector<instance::Edit> edits;
    std::vector<instance::HistoryEntry> entries;
    std::vector<instance::Decision> decisions;
    instance::Comparison compared;
    config::ReloadPlan reload_plan;
    std::vector<instance::TunnelCheckView> checks;
    std::vector<instance::DivergenceView> diverged;
    bool mute = false;  ///< Drop requests without an answer.

    /// What another process asked happened before this returns, also in the eyes of a tool that
    /// sees the memory of this one only.
    void settle() {
        std::unique_lock lock{mutex_};
        const std::uint64_t ticket = ++asked_;
        queue_.push_back([this] {
            const std::lock_guard done{mutex_};
            ++settled_;
            changed_.notify_all();
        });
        changed_.notify_all();
        changed_.wait(lock, [&] { return settled_ >= ticket; });
    }

    [[nodiscard]] instance::Status status() const override {
        const std::lock_guard lock{mutex_};
        return now;
    }
    void switch_roles(bool force, Done done) override {
        answer(force ? "switch force" : "switch", std::move(done));
    }
    void pause(std::optional<Duration> length, Done done) override {
        answer(length ? "pause " + std::to_string(length->count()) : "pause", std::move(done));
    }
    void resume(Done done) override { answer("resume", std::move(done)); }
    void reload(std::function<void(Reply, config::ReloadPlan)> done) override {
        post([this, done = std::move(done)] {
            calls.emplace_back("reload");
            done(next, reload_plan);
        });
    }
    void show(std::string key, std::string revision, Done done) override {
        post([this, key = std::move(key), revision = std::move(revision), done = std::move(done)] {
            calls.push_back("show [" + key + "] [" + revision + "]");
            Reply reply;
            reply.text = config::to_toml(config::subset(document, key));
            reply.revision = "1.1";
            done(reply);
        });
    }
    void edit(instance::Edit edit, Done done) override {
        post([this, edit = std::move(edit), done = std::move(done)] {
            calls.emplace_back("edit");
            edits.push_back(edit);
            core::Document edited = document;
            for (const core::Change& change : edit.changes) {
                const auto made = change.literal
                                      ? config::set_changes(edited, change.key, *change.literal)
                                      : config::unset_changes(edited, change.key);
                if (!made)
                    return done({instance::Outcome::invalid, made.error().message, {}, "", ""});
                core::apply(edited, *made);
            }
            if (next.outcome == instance::Outcome::done && !edit.dry_run) document = edited;
            done(next);
        });
    }
    void history(std::size_t max,
                 std::function<void(Reply, std::vector<instance::HistoryEntry>)> done) override {
        post([this, max, done = std::move(done)] {
            calls.push_back("history " + std::to_string(max));
            done(next, entries);
        });
    }
    void diff(std::string from, std::string to,
              std::function<void(Reply, instance::Comparison)> done) override {
        post([this, from = std::move(from), to = std::move(to), done = std::move(done)] {
            calls.push_back("diff [" + from + "] [" + to + "]");
            Reply reply = next;
            reply.text = "+ a = 1\n";
            done(reply, compared);
        });
    }
    void divergences(
        std::string id,
        std::function<void(Reply, std::vector<instance::DivergenceView>)> done) override {
        post([this, id = std::move(id), done = std::move(done)] {
            calls.push_back("divergences [" + id + "]");
            std::vector<instance::DivergenceView> found;
            for (const auto& view : diverged) {
                if (id.empty() || view.id == id) found.push_back(view);
            }
            done(next, found);
        });
    }
    void divergence_merge(std::string id, std::string author, Done done) override {
        answer("merge " + id + " by " + author, std::move(done));
    }
    void divergence_drop(std::string id, std::string author, Done done) override {
        answer("drop " + id + " by " + author, std::move(done));
    }
    void explain(std::size_t max,
                 std::function<void(Reply, std::vector<instance::Decision>)> done) override {
        post([this, max, done = std::move(done)] {
            calls.push_back("explain " + std::to_string(max));
            done(next, decisions);
        });
    }
    void peer_enable(bool on, Done done) override {
        answer(on ? "enable" : "disable", std::move(done));
    }
    void peer_connect(bool on, Done done) override {
        answer(on ? "connect" : "disconnect", std::move(done));
    }
    void peer_reset(Done done) override { answer("reset", std::move(done)); }
    void peer_invite(Done done) override { answer("invite", std::move(done)); }
    void peer_join(std::string invitation, Done done) override {
        answer("join " + invitation, std::move(done));
    }
    void peer_check(Done done) override { answer("check", std::move(done)); }
    void tunnel_enrol(std::string tunnel, std::string invitation, Done done) override {
        answer("enrol " + tunnel + " " + invitation, std::move(done));
    }
    void tunnel_rotate_key(std::string tunnel, Done done) override {
        answer("rotate key " + tunnel, std::move(done));
    }
    void tunnel_check(
        std::string tunnel,
        std::function<void(Reply, std::vector<instance::TunnelCheckView>)> done) override {
        post([this, tunnel = std::move(tunnel), done = std::move(done)] {
            calls.push_back("check tunnel [" + tunnel + "]");
            done(next, checks);
        });
    }

private:
    void answer(std::string call, Done done) {
        post([this, call = std::move(call), done = std::move(done)] {
            calls.push_back(call);
            if (!mute) done(next);
        });
    }
    void post(std::function<void()> work) {
        {
            const std::lock_guard lock{mutex_};
            queue_.push_back(std::move(work));
        }
        changed_.notify_all();
    }
    /// Ends at an empty function.
    void loop() {
        for (;;) {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [this] { return !queue_.empty(); });
            const std::function<void()> work = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            if (!work) return;
            work();
        }
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;
    std::uint64_t asked_ = 0, settled_ = 0;
    std::thread thread_;
};

/// One key merged, one in conflict.
inline instance::DivergenceView example_divergence() {
    instance::DivergenceView view;
    view.id = "1.4-0123abcd";
    view.saved_at = "2026-01-01T00:00:00Z";
    view.state = "conflicts";
    view.fork = "1.3";
    view.merged_as = "2.6";
    view.authors = "ann";
    view.conflicts = 1;
    view.edits = {{"1.4", "2026-01-01T00:00:00Z", "ann", "why", {{"a", "1"}, {"b", "2"}}}};
    view.keys = {{"a", std::nullopt, std::nullopt, "1", "merged"},
                 {"b", "0", "3", "2", "conflict"}};
    return view;
}

/// A master as contract.md shows it.
inline instance::Status example_status() {
    using namespace std::chrono_literals;
    instance::Status status;
    status.instance = "alpha";
    status.version = "0.1.0";
    status.role = "master";
    status.state = "active";
    status.epoch = 3;
    status.revision = "3.41";
    status.uptime_s = 12.5;
    status.profile = "balanced";
    status.timers = {100ms, 500ms, 500ms, 1500ms};
    status.peer = {
        .instance = "beta",
        .version = "0.1.0",
        .state = "ready",
        .revision = "3.41",
        .in_sync = true,
        .last_seen_ms = 12,
        .rtt_us = 180,
        .plugins = instance::SharedNames{new std::vector<std::string>{"transport/zeromq 0.1.0"}},
        .detail = ""};
    instance::TunnelStatus tunnel;
    tunnel.name = "main";
    tunnel.plugin = "gateway";
    tunnel.state = "active";
    tunnel.epoch = 3;
    tunnel.fences = true;
    tunnel.links = 2;
    status.tunnels = {tunnel};
    status.probes = {{"crm-backend", "tcp", true, 90, ""}};
    status.alerts = {{"push-failed", "error", "2026-01-01T00:00:00Z", "no answer from beta"}};
    status.plugins.reset(new std::vector<std::string>{"storage/file 0.1.0"});
    status.last_change = "2026-01-01T00:00:00Z master of epoch 3: the master was killed";
    return status;
}

}  // namespace umbra::test
