#pragma once

#include <umbra/gateway/register.hpp>
#include <umbra/sdk/time.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbra::gateway {

/// What one gateway keeps in the store for the others to see. It writes it anew well within `hold`.
struct GatewayNote {
    std::string name;
    /// For so long after it sent its last note it may route; then it cuts everything by itself.
    Duration hold{};
    std::map<std::string, PairNote> pairs;

    bool operator==(const GatewayNote&) const = default;
};

/// Longest `hold`, also assumed of a gateway whose note can not be read.
inline constexpr Duration hold_max = std::chrono::minutes{1};

/// A note may be this old before it is doubted.
[[nodiscard]] constexpr Duration doubt_after(Duration hold) { return hold / 2; }
/// A gateway that wrote nothing for so long routes nothing any more: its own clock may run slower
/// than this one's by an eighth, and its loop be late by a quarter of a second.
[[nodiscard]] constexpr Duration gone_after(Duration hold) {
    return hold + hold / 8 + std::chrono::milliseconds{250};
}

/// What is known of the gateways that share a store with this one.
///
/// Silence is counted between questions only: a note is old when the *question* whose answer showed
/// it unchanged was sent that much later than its first answer came. So neither the clocks of
/// others nor a time in which this gateway stood still count.
///
/// Pure. Threads: none; one loop owns it.
class OtherGateways {
public:
    struct Seen {
        std::string key;
        std::uint64_t revision = 0;       ///< At which it was written.
        std::optional<GatewayNote> note;  ///< Absent: it can not be read.
    };
    /// @param asked     when the question was sent
    /// @param answered  when its answer came
    /// @param all       notes of all other gateways
    void read(Instant asked, Instant answered, const std::vector<Seen>& all);

    /// For a register whose record is of `epoch`.
    [[nodiscard]] fact::HeardElsewhere about(const std::string& pair, Epoch epoch) const;
    /// Whether no other gateway routes streams of the pair below `epoch`.
    /// @pre the last `read` was asked after that epoch was stored
    [[nodiscard]] bool passed(const std::string& pair, Epoch epoch) const;
    /// Keys, with their revisions, of gateways that are gone.
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> gone() const;

    struct Other {
        std::uint64_t revision = 0;
        Instant since;      ///< When it was first seen like this.
        Duration silent{};  ///< As of the last question.
        std::optional<GatewayNote> note;

        bool operator==(const Other&) const = default;
        [[nodiscard]] std::string name() const;
        [[nodiscard]] Duration hold() const { return note ? note->hold : hold_max; }
        [[nodiscard]] bool is_gone() const { return silent >= gone_after(hold()); }
    };
    /// By key.
    [[nodiscard]] const std::map<std::string, Other>& all() const noexcept { return others_; }

    bool operator==(const OtherGateways&) const = default;

private:
    std::map<std::string, Other> others_;
};

}  // namespace umbra::gateway
