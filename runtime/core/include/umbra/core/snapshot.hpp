#pragma once

#include <umbra/core/document.hpp>
#include <umbra/core/operations.hpp>
#include <umbra/core/types.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::core {

/// What stands for all entries up to a position, and for what they are still asked about: the
/// configuration, the edits that may be repeated, and places that tell whether another log shares
/// this history. `position` is stored and sent beside the body.
struct Snapshot {
    /// So many edits are recognised when they are asked for again after a snapshot.
    static constexpr std::size_t operations_max = 10'000;
    /// A longer id is not carried; no edit with such an id is taken.
    static constexpr std::size_t operation_bytes_max = 256;
    static constexpr std::size_t marks_max = 64;
    /// What every storage of this tree takes as one body.
    static constexpr std::size_t bytes_max = std::size_t{64} << 20;

    Position position;
    Document document{};
    std::vector<Operation> operations{};  ///< The newest, by revision, then id.
    std::vector<Position> marks{};        ///< Places before `position`, in their order.

    bool operator==(const Snapshot&) const = default;
};

/// The body, without the position.
[[nodiscard]] std::string encode(const Snapshot& snapshot);
/// Reads what `encode` writes, and a body of a configuration alone, as it once was. Nothing for
/// anything else: these bytes come from a peer or a disk.
[[nodiscard]] std::optional<Snapshot> decode_snapshot(const Position& position,
                                                      std::string_view body);

/// A body from its parts, so that nobody has to copy the document for it.
[[nodiscard]] std::string encode_snapshot(const Document& document,
                                          const std::vector<Operation>& operations,
                                          const std::vector<Position>& marks);

}  // namespace umbra::core
