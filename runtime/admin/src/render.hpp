#pragma once

#include <umbra/base/http_server.hpp>
#include <umbra/instance/control.hpp>

#include <string>
#include <vector>

namespace umbra::admin {

/// What the API answers, as JSON text. README.md shows each.
[[nodiscard]] std::string render_status(const instance::Status& status);
[[nodiscard]] std::string render_alerts(const std::vector<instance::Alert>& alerts);
[[nodiscard]] std::string render_decisions(const std::vector<instance::Decision>& decisions);
/// "ok": nothing failed.
[[nodiscard]] std::string render_tunnel_checks(
    const std::vector<instance::TunnelCheckView>& checks);
[[nodiscard]] std::string render_history(const std::vector<instance::HistoryEntry>& history,
                                         const std::string& note);
[[nodiscard]] std::string render_divergences(const std::vector<instance::DivergenceView>& views);
/// @param text  The same as lines, for people.
[[nodiscard]] std::string render_comparison(const instance::Comparison& compared,
                                            const std::string& text);

/// As a reply, with "live", "restart" and "ignored".
[[nodiscard]] std::string render_reload(const instance::Reply& reply,
                                        const config::ReloadPlan& plan);

/// Success as {"outcome", "message", "details", "text", "revision"}, failure as {"error",
/// "details"}; the status as control.hpp maps it.
[[nodiscard]] base::HttpResponse render_reply(instance::Reply reply);

}  // namespace umbra::admin
