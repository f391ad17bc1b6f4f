#include "operation.hpp"

#include "instance_core.hpp"
#include "text.hpp"

#include <algorithm>

namespace umbra::host {

namespace {

constexpr std::size_t message_max = 2048;

/// Called by the plugin: nothing may be thrown into it. Out of memory ends the process.
void on_done(umbra_op* op, const umbra_status* status, const void* result) noexcept {
    auto& operation = *static_cast<Operation*>(op);
    operation.core.completed(operation, status, result);
}

int on_canceled(const umbra_op* op) noexcept {
    return static_cast<const Operation*>(op)->unwanted ? 1 : 0;
}

}  // namespace

Operation::Operation(InstanceCore& owner, const char* operation_name)
    : umbra_op{sizeof(umbra_op), &on_done, &on_canceled, 0}, core(owner), name(operation_name) {}

std::optional<Error> error_of(const umbra_status* status, const void* result,
                              std::size_t result_size) {
    if (status == nullptr || status->struct_size < sizeof(umbra_status))
        return nonsense("no status");
    if (status->code == UMBRA_OK) {
        if (result_size == 0) return std::nullopt;
        if (result == nullptr) return nonsense("success, but without the result");
        const auto size = *static_cast<const std::uint32_t*>(result);
        if (size >= result_size) return std::nullopt;
        return nonsense("a result of " + std::to_string(size) + " bytes instead of " +
                        std::to_string(result_size));
    }
    const std::string message = one_line(detail::to_view(status->message), message_max);
    if (status->code < UMBRA_OK || status->code > UMBRA_INTERNAL)
        return nonsense("the unknown code " + std::to_string(status->code) +
                        (message.empty() ? "" : ": " + message));
    return Error{static_cast<Errc>(status->code),
                 message.empty() ? std::string{code_text(status->code)} : message,
                 status->sys_errno};
}

Error with_context(const InstanceCore& core, const char* operation, Error error) {
    error.message = core.label() + ": " + operation + " failed: " + error.message;
    return error;
}

}  // namespace umbra::host
