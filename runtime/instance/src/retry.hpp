#pragma once

#include <umbra/config/catalog.hpp>
#include <umbra/core/log.hpp>
#include <umbra/instance/control.hpp>

#include <optional>

namespace umbra::instance {

/// Whether an edit under an operation id that is known already is that edit again. Another one must
/// not be told that it was applied.
/// @return Why it is not; nothing when it is a retry, also where nobody can tell any more: of an
///         edit that was compacted, or merged with others.
[[nodiscard]] std::optional<Reply> not_a_retry(const Edit& edit, const core::Log& log,
                                               const config::PluginCatalog& catalog);

}  // namespace umbra::instance
