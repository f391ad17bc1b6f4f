#include "byte_queue.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace umbra::gateway {
namespace {

Bytes counting(std::size_t bytes) {
    Bytes out(bytes);
    std::iota(out.begin(), out.end(), std::uint8_t{0});
    return out;
}

TEST(ByteQueueTest, WhatGoesInComesOutInOrderWhateverThePieces) {
    const Bytes all = counting(100'000);
    ByteQueue queue;
    std::size_t in = 0;
    Bytes out;
    for (std::size_t step = 1; out.size() < all.size(); step = step * 7 % 5003 + 1) {
        const std::size_t more = std::min(step, all.size() - in);
        queue.push(ByteView{all}.subspan(in, more));
        in += more;
        EXPECT_EQ(queue.size(), in - out.size());
        const ByteView front = queue.front();
        const std::size_t less = in == all.size() ? front.size() : std::min(front.size(), step / 2);
        out.insert(out.end(), front.begin(), front.begin() + static_cast<std::ptrdiff_t>(less));
        queue.pop(less);
    }
    EXPECT_TRUE(out == all);
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(queue.front().empty());
}

TEST(ByteQueueTest, TheFirstBytesLieTogether) {
    ByteQueue queue;
    for (std::size_t i = 0; i < ByteQueue::block_bytes_min; ++i)
        queue.push(Bytes{static_cast<std::uint8_t>(i)});
    EXPECT_EQ(queue.front().size(), ByteQueue::block_bytes_min);
    queue.push(Bytes{1});
    EXPECT_EQ(queue.front().size(), ByteQueue::block_bytes_min);
    EXPECT_EQ(queue.size(), ByteQueue::block_bytes_min + 1);
}

TEST(ByteQueueTest, ClearedItBeginsAnew) {
    ByteQueue queue;
    queue.push(counting(50'000));
    queue.clear();
    EXPECT_TRUE(queue.empty());
    queue.push(counting(3));
    EXPECT_EQ(queue.front().size(), 3u);
}

}  // namespace
}  // namespace umbra::gateway
