#include "key_change.hpp"

#include "enrolment.hpp"
#include <umbra/gateway/next_key.hpp>

#include <utility>

namespace umbra::gateway {

KeyChange::KeyChange(Context context, std::optional<std::string> pinned, Events events)
    : context_(context), pinned_(std::move(pinned)), events_(std::move(events)) {}

Result<Done> KeyChange::open(const std::string& node) {
    if (identity_) return Done{};
    auto identity = TlsIdentity::load_or_create(context_.state_dir(), node, Side::agent);
    if (!identity) return identity.error();
    auto next = next_key_pin(context_.state_dir());
    if (!next) return next.error();
    identity_ = std::move(*identity);
    next_ = std::move(*next);
    node_ = node;
    return Done{};
}

Result<KeyPins> KeyChange::gateway() const {
    if (pinned_) return KeyPins{*pinned_, ""};
    return load_pins(context_.state_dir());
}

Result<Done> KeyChange::store(const KeyPins& pins) {
    if (auto stored = store_pins(context_.state_dir(), pins); !stored) {
        context_.error("the gateway's keys are not stored: " + stored.error().message);
        return stored;
    }
    events_.on_gateway(pins);
    return Done{};
}

// --- the gateway's key ---------------------------------------------------------------------------

void KeyChange::on_keys(Uplink& over, const msg::Keys& keys) {
    if (!well_formed(keys.pins))
        return over.link()->close("the gateway announced something that is no key");
    const auto known = gateway();
    // A link of a key that is not believed any more may live on, but announces nothing.
    if (!known || !known->contains(over.link()->peer_pin())) return;
    if (*known != keys.pins) {
        if (pinned_)
            return context_.warn("the gateway announces the key " +
                                 (keys.pins.next.empty() ? keys.pins.present : keys.pins.next) +
                                 ", but the option pin has " + *pinned_ +
                                 "; remove that option, or this node can not follow");
        if (!store(keys.pins)) return;
        context_.info(keys.pins.next.empty()
                          ? "the gateway's key is " + keys.pins.present
                          : "the gateway will change its key to " + keys.pins.next +
                                ", which is believed from now on");
    }
    over.send(msg::KeysStored{keys.pins});
}

// --- the own key ---------------------------------------------------------------------------------

void KeyChange::rotate(Uplink* over, Reply<Done> reply) {
    if (over == nullptr)
        return reply.fail(Errc::unavailable,
                          "no link to the gateway, which has to know the next key first");
    if (over->link()->minor() < 1)
        return reply.fail(Errc::unsupported,
                          "this gateway's version can not change keys; update it, or enrol again");
    if (next_.empty()) {
        auto made = make_next_key(context_.state_dir());
        if (!made) return reply.fail(made.error());
        next_ = std::move(*made);
        context_.info("a next key was made, " + next_);
    }
    replies_.push_back(std::move(reply));
    on_up(*over);
}

void KeyChange::on_up(Uplink& over) {
    if (!next_.empty() && over.link()->minor() >= 1)
        over.send(msg::Keys{{identity_->pin(), next_}});
    // The gateway uses what it announced: the old key is over.
    if (const auto known = gateway(); known && over.link()->peer_pin() == known->next)
        (void)store({known->next, ""});
}

void KeyChange::on_stored(Uplink& over, const msg::KeysStored& stored) {
    if (next_.empty() || stored.pins != KeyPins{identity_->pin(), next_}) return;
    auto used = use_next_key(context_.state_dir());
    auto identity =
        used ? TlsIdentity::load_or_create(context_.state_dir(), node_, Side::agent) : used.error();
    // The gateway believes both keys: whichever is on the disk connects.
    if (!identity) return fail(identity.error());
    identity_ = std::move(*identity);
    next_.clear();
    context_.info("this node's key is " + identity_->pin());
    events_.on_identity(*identity_);
    over.send(msg::Keys{{identity_->pin(), ""}});
    for (auto& reply : std::exchange(replies_, {})) reply.ok();
}

void KeyChange::fail(const Error& error) {
    for (auto& reply : std::exchange(replies_, {})) reply.fail(error);
}

}  // namespace umbra::gateway
