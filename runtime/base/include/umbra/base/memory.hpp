#pragma once

namespace umbra::base {

/// Gives back what only the start needed: freed memory of the allocator, and pages of programs and
/// libraries as they are in their files. Whatever of them is used again comes back from the page
/// cache. From any thread; takes some 100 us.
void release_start_pages() noexcept;

}  // namespace umbra::base
