#pragma once

#include "uplink.hpp"
#include <umbra/gateway/link.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace umbra::gateway {

/// The keys of both ends of a tunnel as this node knows them, and how they change while it runs.
/// Belongs to the loop's thread, which waits for the disk: keys change a few times a year.
///
/// The gateway announces its next key over a link that is authenticated with the present one; both
/// are believed from then on, until it says that the next one is the present one. The own key goes
/// the same way: made, told, stored by the gateway, and only then used.
class KeyChange {
public:
    struct Events {
        /// Links that are made from now on believe these.
        std::function<void(const KeyPins&)> on_gateway{};
        /// Links that are made from now on show this one.
        std::function<void(const TlsIdentity&)> on_identity{};
    };

    /// @param pinned  What the configuration says to be the gateway's key; no announcement changes
    ///                that.
    KeyChange(Context context, std::optional<std::string> pinned, Events events);

    /// Reads or makes the own key, once. @param node  Goes into a new certificate.
    [[nodiscard]] Result<Done> open(const std::string& node);
    /// @pre `open` succeeded
    [[nodiscard]] const TlsIdentity& identity() const { return *identity_; }
    /// The gateway's keys; without a present one before the enrolment.
    [[nodiscard]] Result<KeyPins> gateway() const;

    /// Makes a next key, unless an earlier change is not over, and tells it. Answered when it is in
    /// use. What was begun goes on with the next link, also after a crash.
    /// @param over  Null when no link is up.
    void rotate(Uplink* over, Reply<Done> reply);
    /// A link has come up: what is not over goes on.
    void on_up(Uplink& over);
    void on_keys(Uplink& over, const msg::Keys& keys);
    void on_stored(Uplink& over, const msg::KeysStored& stored);
    /// Who still waits is told that it goes on by itself.
    void fail(const Error& error);

private:
    [[nodiscard]] Result<Done> store(const KeyPins& pins);

    const Context context_;
    const std::optional<std::string> pinned_;
    const Events events_;
    std::optional<TlsIdentity> identity_;
    std::string node_;
    std::string next_;  ///< Pin of the own next key; empty: none.
    std::vector<Reply<Done>> replies_;
};

}  // namespace umbra::gateway
