#include <umbra/base/clock.hpp>

#include <fmt/format.h>

#include <ctime>

namespace umbra::base {
namespace {

std::tm utc(std::chrono::system_clock::time_point time) {
    const std::time_t seconds =
        std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return parts;
}

}  // namespace

Instant boot_now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return Instant{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

std::string to_rfc3339(std::chrono::system_clock::time_point time) {
    const std::tm t = utc(time);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.tm_year + 1900, t.tm_mon + 1,
                       t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string to_rfc3339_micros(std::chrono::system_clock::time_point time) {
    const std::tm t = utc(time);
    const auto micros = std::chrono::floor<std::chrono::microseconds>(time) -
                        std::chrono::floor<std::chrono::seconds>(time);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", t.tm_year + 1900, t.tm_mon + 1,
                       t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, micros.count());
}

std::string wall_time() { return to_rfc3339(std::chrono::system_clock::now()); }

}  // namespace umbra::base
