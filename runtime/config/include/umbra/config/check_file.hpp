#pragma once

#include <umbra/config/catalog.hpp>
#include <umbra/config/node.hpp>
#include <umbra/config/problem.hpp>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace umbra::config {

enum class FileKind : std::uint8_t { unknown, instance, shared, gateway };

/// What a file is by its top-level tables; the kind most of them belong to.
[[nodiscard]] FileKind file_kind(const Node& root);

struct FileCheck {
    FileKind kind = FileKind::unknown;
    Problems problems;  ///< Empty: the file is valid.
};

/// `umbra check FILE`: tells the kind and reports all mistakes. The shared configuration that an
/// instance file names under [shared] initial is checked with it. A gateway file is named as such
/// and referred to `umbra-gateway check`.
/// @param directories  Where plugins are searched for a shared file, which names no directory.
[[nodiscard]] FileCheck check_file(const std::filesystem::path& file,
                                   const OpenCatalog& open_catalog,
                                   const std::vector<std::filesystem::path>& directories);

}  // namespace umbra::config
