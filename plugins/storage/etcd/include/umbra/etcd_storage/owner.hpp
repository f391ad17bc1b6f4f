#pragma once

#include <umbra/sdk/result.hpp>

#include <string>

namespace umbra::etcd_storage {

/// 32 hexadecimal digits that nobody else has.
std::string random_identity();

/// The identity of a state directory, made at the first call: the file `owner` in it.
Result<std::string> owner_of(const std::string& directory);

}  // namespace umbra::etcd_storage
