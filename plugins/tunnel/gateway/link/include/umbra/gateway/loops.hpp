#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace umbra::gateway {

inline constexpr std::size_t loops_max = 64;

/// A loop on a thread of its own, for the bytes of links. What decides stays on its owner's loop.
class Loop {
public:
    using OnFailure = std::function<void(const std::string& what)>;

    /// @param on_failure  A handler threw; called on the loop's thread.
    explicit Loop(OnFailure on_failure);
    /// Lets links say their last words for at most a second, and ends the thread.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    [[nodiscard]] boost::asio::io_context& io() noexcept { return *io_; }
    /// Runs `work` on the loop and waits until it is done. Never from the loop itself.
    void run_and_wait(const std::function<void()>& work);

    /// Held by a link for as long as anything of it is left: counts, and keeps what it was made of.
    [[nodiscard]] std::shared_ptr<void> use() const noexcept { return io_; }
    [[nodiscard]] long uses() const noexcept { return io_.use_count() - 1; }

private:
    void run(const OnFailure& on_failure);

    const std::shared_ptr<boost::asio::io_context> io_ =
        std::make_shared<boost::asio::io_context>(1);
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::promise<void> ended_;
    std::thread thread_;
};

/// The loops over which a process spreads its links. Outlives the links.
class Loops {
public:
    /// @param threads  1: no loop beside the owner's; nothing has to cross threads then, which is
    ///                 best where two processors do everything. More: so many loops beside it.
    ///                 0: one for every two processors, since the network part of the kernel needs
    ///                 as much; at most 8.
    /// @param useful   More than so many would have nothing to do.
    Loops(std::size_t threads, std::size_t useful, const Loop::OnFailure& on_failure);

    /// The one with the fewest links; null: the owner's.
    [[nodiscard]] Loop* pick() const;
    /// The same one for the same `index`.
    [[nodiscard]] Loop* pick(std::size_t index) const;

private:
    std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace umbra::gateway
