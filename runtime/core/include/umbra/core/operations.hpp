#pragma once

#include <umbra/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::core {

/// An edit that was made, by the id under which it may be asked for again.
struct Operation {
    std::string id;
    Revision revision;

    bool operator==(const Operation&) const = default;
};

/// By revision, then by id.
[[nodiscard]] bool is_older(const Operation& a, const Operation& b);

/// The edits of a log that are known by their ids, oldest first. They come at one end and are
/// forgotten at either, so they lie in their order; a table of hashes says where an id is.
///
/// Not a map: an instance asks for two ids and adds one with every edit, among ten thousand.
class Operations {
public:
    /// In the order of the revisions. The first one with an id stays.
    void add(std::string_view id, Revision revision);
    [[nodiscard]] std::optional<Revision> find(std::string_view id) const;

    [[nodiscard]] std::size_t size() const { return list_.size(); }
    [[nodiscard]] const std::deque<Operation>& list() const { return list_; }
    /// How many are not after `seq`; these come first.
    [[nodiscard]] std::size_t count_until(std::uint64_t seq) const;

    void forget_first(std::size_t count);
    void forget_after(std::uint64_t seq);
    void clear();

    bool operator==(const Operations& other) const { return list_ == other.list_; }

private:
    /// Of the table, by linear probing (Knuth, TAOCP 6.4, with algorithm R for what goes).
    struct Slot {
        std::uint32_t hash = 0;    ///< 0 = free.
        std::uint32_t number = 0;  ///< Of the operation; may wrap.
    };

    [[nodiscard]] std::size_t home(std::uint32_t hash) const { return hash & (slots_.size() - 1); }
    [[nodiscard]] std::size_t next(std::size_t i) const { return (i + 1) & (slots_.size() - 1); }
    /// Where the id is, or the free slot where it belongs. @pre there are slots
    [[nodiscard]] std::size_t slot_of(std::string_view id, std::uint32_t hash) const;
    void grow();
    void remove(std::string_view id);

    std::deque<Operation> list_;
    std::uint32_t first_ = 0;  ///< Number of the front of `list_`.
    std::vector<Slot> slots_;  ///< A power of two, more than twice as many as operations; or none.
};

}  // namespace umbra::core
