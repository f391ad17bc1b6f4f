#pragma once

#include <string>
#include <string_view>

namespace umbra::host {

/// Makes a sentence, without the path, of what Boost.DLL throws. Only the dlerror part of its text
/// means anything; the error code in it is "Bad file descriptor" for every cause.
/// @param loaded_as  The name that the library was loaded by, which means nothing to people.
[[nodiscard]] std::string explain_dl_error(std::string_view what, std::string_view loaded_as);

/// "zlibish::missing(int)" for "_ZN7zlibish7missingEi"; names of C stay.
[[nodiscard]] std::string demangle(const std::string& symbol);

}  // namespace umbra::host
