#pragma once

#include "networks.hpp"
#include "refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace umbra::gateway {

/// Whom a way in ("listener crm", "socks5") lets in, and how many at once. 0: no limit of its own.
struct WayRules {
    Networks allow{};
    std::size_t clients = 0;
    std::size_t per_source = 0;

    bool operator==(const WayRules&) const = default;
};

/// What came by a way in.
struct WayTally {
    std::size_t now = 0;        ///< Clients that are here, whether served or waiting.
    std::uint64_t clients = 0;  ///< Let in.
    std::uint64_t served = 0;   ///< Got their stream.
    RefusalCounts refused{};
    std::uint64_t bytes_up = 0, bytes_down = 0;  ///< From clients and to them; of ended streams.
};

/// Who may come in: source networks, and limits in number per source, way in and in total, so that
/// neither one client nor all of them exhaust what others need. Counts what came by each way.
///
/// Pure: no socket, no clock. Not thread-safe.
class Admission {
    struct Way;
    struct Total;

public:
    /// The place of one client, from the accept to the end of its stream. Movable; gives the place
    /// back when it goes. May outlive the `Admission`.
    class Place {
    public:
        Place() = default;
        Place(Place&&) noexcept = default;
        Place& operator=(Place&& other) noexcept;
        ~Place() { leave(); }

        /// @return null when this is no place.
        [[nodiscard]] WayTally* tally() const noexcept;

    private:
        friend class Admission;
        void leave() noexcept;

        std::shared_ptr<Way> way_;
        std::optional<AddressBytes> source_;
    };

    Admission();

    /// Of all ways together; 0: no limit. Who is inside stays.
    void limit(std::size_t clients, std::size_t per_source);
    /// Adds a way in, or changes its rules.
    void set(const std::string& way, WayRules rules);
    /// Its clients keep their places; its counts are gone.
    void remove(const std::string& way);

    /// Lets a client in whose address is not known yet.
    /// @return nothing, and counted, when there is no place.
    [[nodiscard]] std::optional<Refusal> enter(const std::string& way, Place& place);
    /// Judges the address of a client that has entered. On a refusal the place is to be given back.
    [[nodiscard]] std::optional<Refusal> identify(Place& place,
                                                  const boost::asio::ip::address& address);
    /// Both.
    [[nodiscard]] std::optional<Refusal> admit(const std::string& way,
                                               const boost::asio::ip::address& address,
                                               Place& place);

    [[nodiscard]] std::size_t now() const noexcept;
    /// @return null for a way that is not there.
    [[nodiscard]] const WayTally* tally(const std::string& way) const;

private:
    std::optional<Refusal> refuse(Way& way, Refusal refusal);

    std::shared_ptr<Total> total_;
    std::map<std::string, std::shared_ptr<Way>> ways_;
};

}  // namespace umbra::gateway
