#pragma once

#include <umbra/base/clock.hpp>
#include <umbra/base/log.hpp>
#include <umbra/instance/control.hpp>

#include <map>
#include <string>
#include <vector>

namespace umbra::instance {

/// What an operator should know now. Raised and cleared by id; told once in the log each time.
class Alerts {
public:
    void raise(const std::string& id, bool error, const std::string& text) {
        auto& alert = alerts_[id];
        const std::string severity = error ? "error" : "warning";
        if (alert.text == text && alert.severity == severity) return;
        if (alert.id.empty()) alert.since = base::wall_time();
        alert.id = id;
        alert.severity = severity;
        alert.text = text;
        base::log_write(error ? base::LogLevel::error : base::LogLevel::warn, "alert",
                        id + ": " + text);
    }
    void clear(const std::string& id) {
        if (alerts_.erase(id) != 0) base::info("alert", "{}: cleared", id);
    }
    /// An empty text clears.
    void set(const std::string& id, bool error, const std::string& text) {
        if (text.empty()) {
            clear(id);
        } else {
            raise(id, error, text);
        }
    }
    [[nodiscard]] std::vector<Alert> list() const {
        std::vector<Alert> all;
        for (const auto& [id, alert] : alerts_) all.push_back(alert);
        return all;
    }

private:
    std::map<std::string, Alert> alerts_;
};

}  // namespace umbra::instance
