#pragma once

#include "uplink.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace umbra::gateway {

/// Links that were made with keys of before are replaced one after the other: the new one is dialed
/// first, and the old one lives on until its last stream has ended. None is cut, and a gateway that
/// refuses the new one costs nothing. Belongs to the loop's thread.
class Renewal {
public:
    using Uplinks = std::vector<std::unique_ptr<Uplink>>;
    /// Makes another one for that place, which dials.
    using Make = std::function<std::unique_ptr<Uplink>(std::size_t place)>;

    /// @param uplinks  Those of now; outlive it.
    Renewal(boost::asio::io_context& io, Uplinks& uplinks, Make make)
        : uplinks_(uplinks), make_(std::move(make)), timer_(io) {}

    /// The keys of the gateway, or the own one, for every link from now on.
    void believe(const KeyPins& gateway);
    void show(const TlsIdentity& identity);
    /// Looks, and goes on until no link is outdated.
    void begin();
    /// It was welcomed: takes its place if it was dialed for one.
    void on_welcome(const Uplink& uplink);
    void stop(const std::string& why);
    /// Why a link cannot be replaced, and when that is tried again; empty: nothing is wrong.
    [[nodiscard]] std::string trouble() const;

private:
    void look();

    Uplinks& uplinks_;
    const Make make_;
    boost::asio::steady_timer timer_;
    bool armed_ = false;
    std::unique_ptr<Uplink> fresh_;  ///< For `place_`, not welcomed yet.
    std::size_t place_ = 0;
    Uplinks leaving_;
};

}  // namespace umbra::gateway
