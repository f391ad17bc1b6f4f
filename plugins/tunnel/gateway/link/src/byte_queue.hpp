#pragma once

#include <umbra/gateway/wire.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <list>
#include <memory>

namespace umbra::gateway {

/// Bytes that wait, in blocks: grows without copying, gives memory back as it empties, and holds
/// none while empty. The first `block_bytes_min` bytes pushed into an empty queue are contiguous.
class ByteQueue {
public:
    static constexpr std::size_t block_bytes_min = 2u << 10;
    static constexpr std::size_t block_bytes_max = 16u << 10;

    void push(ByteView bytes) {
        size_ += bytes.size();
        while (!bytes.empty()) {
            if (blocks_.empty() || blocks_.back().room() == 0)
                blocks_.emplace_back(std::clamp(bytes.size(), block_bytes_min, block_bytes_max));
            bytes = bytes.subspan(blocks_.back().put(bytes));
        }
    }
    /// The oldest bytes, as many as lie together; empty only if the queue is.
    [[nodiscard]] ByteView front() const noexcept {
        return blocks_.empty() ? ByteView{} : blocks_.front().view();
    }
    /// @pre `bytes <= front().size()`
    void pop(std::size_t bytes) {
        if (bytes == 0) return;
        size_ -= bytes;
        blocks_.front().begin += bytes;
        if (blocks_.front().view().empty()) blocks_.pop_front();
    }
    void clear() noexcept {
        blocks_.clear();
        size_ = 0;
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

private:
    struct Block {
        explicit Block(std::size_t bytes)
            : memory(std::make_unique_for_overwrite<std::uint8_t[]>(bytes)), capacity(bytes) {}
        [[nodiscard]] std::size_t room() const noexcept { return capacity - end; }
        [[nodiscard]] ByteView view() const noexcept { return {memory.get() + begin, end - begin}; }
        std::size_t put(ByteView bytes) noexcept {
            const std::size_t count = std::min(bytes.size(), room());
            std::memcpy(memory.get() + end, bytes.data(), count);
            end += count;
            return count;
        }

        std::unique_ptr<std::uint8_t[]> memory;
        std::size_t capacity, begin = 0, end = 0;
    };

    std::list<Block> blocks_;
    std::size_t size_ = 0;
};

}  // namespace umbra::gateway
