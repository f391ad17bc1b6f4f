// What an administrator asks of an instance. Every function hands over to the loop.

#include "editor.hpp"
#include "instance.hpp"
#include "retry.hpp"
#include <umbra/base/log.hpp>
#include <umbra/config/values.hpp>

#include <utility>

namespace umbra::instance {

namespace {

Outcome outcome_of(const Error& error) {
    if (error.code == Errc::invalid) return Outcome::invalid;
    return error.code == Errc::conflict ? Outcome::refused : Outcome::failed;
}

/// Passes on why not, or `text`.
std::function<void(const Result<umbra::Done>&)> answer_with(std::string text, Control::Done done) {
    return [text = std::move(text), done = std::move(done)](const Result<umbra::Done>& result) {
        if (result.ok()) return done({Outcome::done, text, {}, {}, {}});
        done({outcome_of(result.error()), result.error().message, {}, {}, {}});
    };
}

}  // namespace

core::RequestId Instance::expect(Done done) {
    requests_.emplace(++last_request_, std::move(done));
    return last_request_;
}

void Instance::ask(Done done, std::function<core::Fact(core::RequestId)> fact) {
    loop_.post([this, done = std::move(done), fact = std::move(fact)]() mutable {
        if (ended_ || !node_) {
            done({Outcome::failed, "the instance is stopping", {}, {}, {}});
            return;
        }
        feed(fact(expect(std::move(done))));
    });
}

void Instance::switch_roles(bool force, Done done) {
    ask(std::move(done), [force](core::RequestId id) {
        return core::fact::SwitchRequested{id, force};
    });
}

void Instance::pause(std::optional<Duration> length, Done done) {
    ask(std::move(done), [length](core::RequestId id) {
        std::int64_t until_ms = 0;
        if (length) {
            const auto until = std::chrono::system_clock::now().time_since_epoch() + *length;
            until_ms = std::chrono::duration_cast<std::chrono::milliseconds>(until).count();
        }
        return core::fact::PauseRequested{id, true, until_ms};
    });
}

void Instance::resume(Done done) {
    ask(std::move(done), [](core::RequestId id) { return core::fact::PauseRequested{id, false}; });
}

void Instance::explain(std::size_t max, std::function<void(Reply, std::vector<Decision>)> done) {
    loop_.post([this, max, done = std::move(done)] { done(Reply{}, journal_.newest(max)); });
}

void Instance::show(std::string key, std::string revision, Done done) {
    loop_.post([this, key = std::move(key), revision = std::move(revision),
                done = std::move(done)] { done(instance::show(node_->log(), key, revision)); });
}

void Instance::edit(Edit edit, Done done) {
    loop_.post([this, edit = std::move(edit), done = std::move(done)]() mutable {
        if (ended_) {
            done({Outcome::failed, "the instance is stopping", {}, {}, {}});
            return;
        }
        if (node_->role() == core::Role::shadow) {
            // The core's own refusal, before anything about the edit is judged here.
            feed(core::fact::EditRequested{expect(std::move(done)), {}, {}});
            return;
        }
        if (!storage_full_.empty() && !edit.dry_run) {
            done({Outcome::refused,
                  "no edits while the disk is full: " + storage_full_,
                  {},
                  {},
                  {}});
            return;
        }
        // A retry of an edit that was applied would change nothing now; the core knows it by its
        // id.
        if (!edit.op_id.empty() && node_->log().find_op(edit.op_id)) {
            if (auto other = not_a_retry(edit, node_->log(), registry_)) {
                done(std::move(*other));
                return;
            }
            core::Entry entry;
            entry.op_id = edit.op_id;
            feed(core::fact::EditRequested{expect(std::move(done)), std::move(entry), {}});
            return;
        }
        auto checked = check_edit(edit, node_->log(), registry_);
        if (auto* reply = std::get_if<Reply>(&checked)) {
            done(std::move(*reply));
            return;
        }
        auto& ready = std::get<CheckedEdit>(checked);
        const auto id = expect([done = std::move(done), diff = ready.diff](Reply reply) {
            if (reply.outcome == Outcome::done || reply.outcome == Outcome::provisional) {
                reply.text = diff;
            }
            done(std::move(reply));
        });
        std::optional<core::Revision> only_at;
        if (!edit.if_revision.empty()) only_at = parse_revision(edit.if_revision);
        feed(core::fact::EditRequested{id, std::move(ready.entry), only_at});
    });
}

void Instance::history(std::size_t max,
                       std::function<void(Reply, std::vector<HistoryEntry>)> done) {
    loop_.post([this, max, done = std::move(done)] {
        auto list = instance::history(node_->log(), max);
        Reply reply;
        reply.message = history_note(node_->log(), list.size());
        done(std::move(reply), std::move(list));
    });
}

void Instance::diff(std::string from, std::string to, std::function<void(Reply, Comparison)> done) {
    loop_.post([this, from = std::move(from), to = std::move(to), done = std::move(done)] {
        auto [reply, comparison] = instance::diff(node_->log(), from, to);
        done(std::move(reply), std::move(comparison));
    });
}

void Instance::divergences(std::string id,
                           std::function<void(Reply, std::vector<DivergenceView>)> done) {
    loop_.post([this, id = std::move(id), done = std::move(done)] {
        std::vector<DivergenceView> views;
        if (id.empty()) {
            for (const auto& one : divergences_.list()) views.push_back(view_of(one, node_->log()));
            for (auto& damaged : warn_of_damaged_divergences()) {
                views.emplace_back().id = std::move(damaged);
                views.back().state = "damaged";
            }
            done(Reply{}, std::move(views));
            return;
        }
        const auto one = divergences_.read(id);
        if (!one.ok()) {
            done({outcome_of(one.error()), one.error().message, {}, {}, {}}, {});
            return;
        }
        views.push_back(view_of(*one, node_->log()));
        done(Reply{}, std::move(views));
    });
}

void Instance::divergence_merge(std::string id, std::string author, Done done) {
    loop_.post(
        [this, id = std::move(id), author = std::move(author), done = std::move(done)]() mutable {
            const auto one = divergences_.read(id);
            if (!one.ok()) {
                done({outcome_of(one.error()), one.error().message, {}, {}, {}});
            } else if (ended_) {
                done({Outcome::failed, "the instance is stopping", {}, {}, {}});
            } else {
                feed(core::fact::DivergenceMergeRequested{expect(std::move(done)), id, author});
            }
        });
}

void Instance::divergence_drop(std::string id, std::string author, Done done) {
    loop_.post([this, id = std::move(id), author = std::move(author), done = std::move(done)] {
        if (const auto dropped = divergences_.drop(id); !dropped.ok()) {
            done({outcome_of(dropped.error()), dropped.error().message, {}, {}, {}});
            return;
        }
        base::warn("storage", "divergence {} was dropped by {}", id, author);
        feed(core::fact::DivergenceDropped{id});
        load_divergences();
        done({Outcome::done, "divergence " + id + " is dropped", {}, {}, {}});
    });
}

void Instance::peer_enable(bool on, Done done) {
    ask(std::move(done), [on](core::RequestId id) { return core::fact::EnableRequested{id, on}; });
}

void Instance::peer_connect(bool on, Done done) {
    ask(std::move(done), [on](core::RequestId id) { return core::fact::ConnectRequested{id, on}; });
}

void Instance::with_peer_link(Done done, const std::function<void(Done)>& use) {
    if (peer_link_) {
        use(std::move(done));
        return;
    }
    done({Outcome::refused,
          "this instance has no [transport]; add one to " + config_.file.string() +
              " to run it as one of a pair",
          {},
          {},
          {}});
}

void Instance::peer_reset(Done done) {
    loop_.post([this, done = std::move(done)]() mutable {
        with_peer_link(std::move(done), [this](Done then) {
            const bool shadow = node_->role() == core::Role::shadow;
            const auto heard = node_->peer(loop_.now()).heard;
            const bool recent = heard && loop_.now() - *heard < std::chrono::seconds{1};
            const bool connected = shadow ? node_->persistent().connect && peer_link_->linked()
                                          : peer_link_->linked() || recent;
            if (connected) {
                then({Outcome::refused,
                      shadow ? "the shadow is connected; run `umbra peer disconnect` first"
                             : "the shadow is connected; disconnect it on its side first",
                      {},
                      {},
                      {}});
                return;
            }
            peer_link_->forget(std::move(then));
        });
    });
}

void Instance::peer_invite(Done done) {
    loop_.post([this, done = std::move(done)]() mutable {
        with_peer_link(std::move(done), [this](Done then) {
            if (node_->role() != core::Role::master) {
                then({Outcome::refused,
                      config_.name + " is a shadow; invitations are made by the master",
                      {},
                      {},
                      {}});
            } else if (!node_->persistent().ha_enabled) {
                then({Outcome::refused,
                      "high availability is not enabled; run `umbra peer enable` or set [peer] "
                      "enabled = true",
                      {},
                      {},
                      {}});
            } else {
                peer_link_->invite(std::move(then));
            }
        });
    });
}

void Instance::peer_join(std::string invitation, Done done) {
    loop_.post([this, invitation = std::move(invitation), done = std::move(done)]() mutable {
        with_peer_link(std::move(done), [&](Done then) {
            if (node_->role() != core::Role::shadow) {
                then({Outcome::refused,
                      config_.name + " is the master; the shadow joins with an invitation of it",
                      {},
                      {},
                      {}});
                return;
            }
            peer_link_->join(invitation, std::move(then));
        });
    });
}

void Instance::peer_check(Done done) {
    loop_.post([this, done = std::move(done)]() mutable {
        with_peer_link(std::move(done),
                       [this](Done then) { peer_link_->check(timers(), std::move(then)); });
    });
}

void Instance::tunnel_enrol(std::string tunnel, std::string invitation, Done done) {
    loop_.post([this, tunnel = std::move(tunnel), invitation = std::move(invitation),
                done = std::move(done)] {
        tunnels_->enrol(tunnel, invitation,
                        answer_with("tunnel " + tunnel + " is enrolled with its gateway", done));
    });
}

void Instance::tunnel_rotate_key(std::string tunnel, Done done) {
    loop_.post([this, tunnel = std::move(tunnel), done = std::move(done)] {
        tunnels_->rotate_key(
            tunnel,
            answer_with("tunnel " + tunnel + " has a new key, which its gateway knows", done));
    });
}

void Instance::tunnel_check(std::string tunnel,
                            std::function<void(Reply, std::vector<TunnelCheckView>)> done) {
    loop_.post([this, tunnel = std::move(tunnel), done = std::move(done)] {
        tunnels_->check(tunnel, [done](Result<std::vector<TunnelCheckView>> checks) {
            if (checks) return done({Outcome::done, {}, {}, {}, {}}, std::move(checks).value());
            done({Outcome::invalid, checks.error().message, {}, {}, {}}, {});
        });
    });
}

}  // namespace umbra::instance
