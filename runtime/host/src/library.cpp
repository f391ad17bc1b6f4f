#include "dl_error.hpp"
#include "entry.hpp"
#include <umbra/host/library.hpp>

#include <boost/dll/shared_library.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace umbra::host {

namespace {

namespace dll = boost::dll;

/// Keeps what was loaded, and its descriptor, until exit. Unloading C++ is a gamble: unique symbols
/// and thread-local destructors make it a silent no-op for one library and a crash for the next.
/// The descriptor must stay because glibc takes a second "/proc/self/fd/5" for the first one.
void keep_until_exit(PluginFile file, dll::shared_library library) {
    struct Kept {
        int descriptor;
        dll::shared_library library;
    };
    // Never destroyed: threads of a plugin may outlive main().
    static auto* kept = new std::vector<Kept>;
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    kept->push_back({file.release(), std::move(library)});
}

Error refusal(const std::filesystem::path& path, const std::string& why) {
    return {Errc::invalid, path.string() + ": " + why};
}

}  // namespace

Result<LoadedPlugin> load_plugin(const std::filesystem::path& path,
                                 std::optional<umbra_kind> wanted) {
    auto file = PluginFile::open(path);
    if (!file) return file.error();
    auto identity = file->read_identity();
    if (!identity) return identity.error();
    if (auto fit = check_abi(path, *identity); !fit) return fit.error();
    if (auto fit = check_file_name(path, *identity); !fit) return fit.error();
    if (wanted && identity->kind != static_cast<std::uint32_t>(*wanted))
        return refusal(path, "is a " + kind_word(identity->kind) + " plugin where a " +
                                 kind_word(*wanted) + " plugin is needed; name one of that kind");

    const std::string by_descriptor = "/proc/self/fd/" + std::to_string(file->descriptor());
    const umbra_entry_pod* entry = nullptr;
    std::string why;
    try {
        dll::shared_library library(by_descriptor,
                                    dll::load_mode::rtld_now | dll::load_mode::rtld_local);
        try {
            // The alias is a pointer variable; a null one must not be followed.
            if (library.get<const umbra_entry_pod*>(UMBRA_ENTRY_SYMBOL) == nullptr) {
                why = "has a null " UMBRA_ENTRY_SYMBOL "; rebuild the plugin";
            } else {
                entry = &library.get_alias<const umbra_entry_pod>(UMBRA_ENTRY_SYMBOL);
                why = entry_refusal(entry, *identity);
            }
        } catch (const std::exception&) {
            why = "does not export " UMBRA_ENTRY_SYMBOL
                  "; build it with umbra_add_plugin() and one UMBRA_PLUGIN()";
        }
        keep_until_exit(std::move(*file), std::move(library));
    } catch (const std::exception& failure) {
        why = explain_dl_error(failure.what(), by_descriptor);
    }
    if (!why.empty()) return refusal(path, why);
    return LoadedPlugin{path, std::move(*identity), entry->plugin};
}

}  // namespace umbra::host
