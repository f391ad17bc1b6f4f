#include "attempt.hpp"
#include <umbra/process/backoff.hpp>
#include <umbra/process/lines.hpp>
#include <umbra/threaded/checks.hpp>

namespace umbra::http_probe {

ProbeResult judge(const Question& question, const Observed& observed, Duration latency) {
    const auto result = [&](Health health, const std::string& text) {
        return ProbeResult{health, latency, process::one_line(text, threaded::detail_max)};
    };
    const auto status = "status " + std::to_string(observed.status) +
                        (observed.reason.empty() ? "" : " " + observed.reason);
    if (!question.expected.contains(observed.status))
        return result(Health::down, status + ", expected " + question.expected_text);
    if (question.contains && observed.body.find(*question.contains) == std::string::npos)
        return result(Health::down,
                      status +
                          (observed.too_long ? ", but the first MiB of the answer does"
                                             : ", but the answer does") +
                          " not contain \"" + *question.contains + "\"");
    if (question.degraded_after && latency > *question.degraded_after)
        return result(Health::degraded, status + " after " + process::to_text(latency) +
                                            ", more than " +
                                            process::to_text(*question.degraded_after));
    return result(Health::healthy, status);
}

}  // namespace umbra::http_probe
