// The offline repair of a role.

#include "offline_instance.hpp"
#include "state_file.hpp"
#include <umbra/instance/run.hpp>

#include <system_error>

namespace umbra::instance {

Result<std::string> order_role(const std::filesystem::path& data_dir, core::Role role) {
    const auto unused = [&] {
        return Error{Errc::invalid, data_dir.string() +
                                        ": no instance has used this data directory; its first "
                                        "role comes from [instance] role of its file"};
    };
    std::error_code error;
    if (!std::filesystem::is_directory(data_dir, error)) return unused();
    const auto owner = ActAsOwner::of(data_dir);
    if (!owner.ok()) return owner.error();
    const auto lock = DataDirLock::take(data_dir);
    if (!lock.ok()) return lock.error();
    auto state = load_state(data_dir);
    if (!state.ok()) return state.error();
    if (!*state) return unused();
    core::Persistent& persistent = (*state)->persistent;
    const core::Role before = persistent.role;
    persistent.role = role;
    persistent.yielded = role == core::Role::shadow;
    if (role == core::Role::shadow) persistent.connect = true;
    // Whoever orders this knows whether the configuration was lost.
    if (role == core::Role::master) (*state)->stored = false;
    const auto saved = save_state(data_dir, **state);
    if (!saved.ok()) return saved.error();
    std::string text = (*state)->name + " was " + core::to_string(before) + " and starts as " +
                       core::to_string(role);
    text += role == core::Role::master
                ? "; a gateway that arbitrates, or a living master of a higher epoch, still has "
                  "the last word"
                : "; it takes no role by itself until it has met a master";
    return text;
}

}  // namespace umbra::instance
