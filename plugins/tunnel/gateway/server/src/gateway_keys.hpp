#pragma once

#include "context.hpp"
#include "pair.hpp"
#include "roster.hpp"
#include <umbra/gateway/identity.hpp>

#include <boost/json/object.hpp>

#include <deque>
#include <functional>
#include <optional>
#include <string>

namespace umbra::gateway {

/// The key of this gateway and the one that will replace it, and the keys of the instances as far
/// as they change over a running link.
///
/// The next key is announced to every instance as soon as it is on the disk. It is used when
/// all have stored its pin, or by force. What an instance says of its own key counts once it is in
/// the roster, and is answered then.
///
/// Threads: none of its own; everything on the loop of the context.
class GatewayKeys {
public:
    using Answer = std::function<void(Result<Done>)>;
    struct Desk {
        std::function<const Roster&()> roster;
        /// As of `Reception::Desk`.
        std::function<void(std::function<Result<Done>(Roster&)> edit,
                           std::function<void(Result<Done>)> done)>
            change;
        /// Calls it with every link of every instance.
        std::function<void(const std::function<void(Session&)>&)> each_link;
    };

    GatewayKeys(Context& context, Desk desk);

    /// Reads the keys, or makes the first one. Waits for the disk.
    [[nodiscard]] Result<Done> open();
    /// By which gateways that share a register know this one: of its first key, whatever its key is
    /// now. 32 hexadecimal digits.
    [[nodiscard]] const std::string& id() const { return id_; }
    /// For links that are made from now on.
    [[nodiscard]] const TlsIdentity& identity() const { return *identity_; }

    /// Makes a next key and announces it. @return `conflict` when there is one already
    void rotate(Answer answer);
    /// Uses the next key. @return `conflict` when there is none, or, unless `force`, instances have
    /// not stored its pin: these have to enrol again
    void use(bool force, Answer answer);
    /// Takes the next key back. @return `conflict` when there is none
    void drop(Answer answer);

    /// A link was welcomed: hears of the keys, and a next key that the node uses is its key.
    void welcomed(Session& session);
    /// @return false: not a message about keys
    [[nodiscard]] bool control(const std::shared_ptr<Session>& session, const std::string& pair,
                               const ControlMessage& message);

    [[nodiscard]] boost::json::object status() const;

private:
    [[nodiscard]] KeyPins pins() const { return {identity_->pin(), next_}; }
    [[nodiscard]] bool is_busy(const Answer& answer);
    void announce();
    void tell(Session& session);
    void on_keys(const std::shared_ptr<Session>& session, const std::string& pair,
                 const KeyPins& theirs);

    Context& context_;
    const Desk desk_;
    std::optional<TlsIdentity> identity_;
    std::string id_;
    bool id_kept_ = false;  ///< In its file.
    std::string next_;      ///< A pin; empty: none.
    bool busy_ = false;     ///< The disk works on the keys.
};

}  // namespace umbra::gateway
