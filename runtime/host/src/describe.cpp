#include "child.hpp"
#include "text.hpp"
#include <umbra/host/describe.hpp>
#include <umbra/host/library.hpp>

#include <charconv>
#include <string_view>
#include <sys/stat.h>

namespace umbra::host {

namespace {

constexpr std::size_t text_max = 1024;

std::string text_or_empty(const char* text) {
    return text == nullptr ? std::string{} : one_line(text, text_max);
}

std::vector<std::string> list_of(const char* const* list) {
    constexpr std::size_t list_max = 256;  // an end that is missing is not searched for ever
    std::vector<std::string> result;
    for (; list != nullptr && *list != nullptr && result.size() < list_max; ++list)
        result.push_back(text_or_empty(*list));
    return result;
}

std::string type_text(std::uint32_t type) {
    switch (type) {
        case UMBRA_OPT_STRING:
            return "string";
        case UMBRA_OPT_INTEGER:
            return "integer";
        case UMBRA_OPT_BOOLEAN:
            return "boolean";
        case UMBRA_OPT_FLOAT:
            return "float";
        case UMBRA_OPT_DURATION:
            return "duration";
        case UMBRA_OPT_SIZE:
            return "size";
        case UMBRA_OPT_ENDPOINT:
            return "endpoint";
        case UMBRA_OPT_PATH:
            return "path";
        case UMBRA_OPT_ENUM:
            return "enum";
        case UMBRA_OPT_URL:
            return "url";
        case UMBRA_OPT_STRING_LIST:
            return "list";
        default:
            return "type " + std::to_string(type);
    }
}

/// What the child says: texts one after the other, in the order of write() and read() below.
class Texts {
public:
    Texts() = default;
    explicit Texts(std::string_view bytes) : bytes_(bytes) {}

    void put(const std::string& text) { bytes_ += std::to_string(text.size()) + ":" + text; }
    void put(const std::vector<std::string>& list) {
        put(std::to_string(list.size()));
        for (const auto& text : list) put(text);
    }
    [[nodiscard]] std::string take() {
        std::size_t size = 0;
        const char* const end = bytes_.data() + bytes_.size();
        const auto [colon, failed] = std::from_chars(bytes_.data() + at_, end, size);
        if (failed != std::errc{} || colon == end || *colon != ':' ||
            size > static_cast<std::size_t>(end - colon - 1)) {
            broken_ = true;
            return {};
        }
        at_ = static_cast<std::size_t>(colon - bytes_.data()) + 1 + size;
        return {colon + 1, size};
    }
    [[nodiscard]] std::size_t take_count() {
        const std::string text = take();
        std::size_t count = 0;
        std::from_chars(text.data(), text.data() + text.size(), count);
        return count;
    }
    [[nodiscard]] std::vector<std::string> take_list() {
        std::vector<std::string> list;
        for (std::size_t left = take_count(); left > 0 && !broken_; --left) list.push_back(take());
        return list;
    }
    [[nodiscard]] bool broken() const { return broken_; }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

private:
    std::string bytes_;
    std::size_t at_ = 0;
    bool broken_ = false;
};

/// In the child.
std::string load_and_tell(const std::filesystem::path& path) {
    Texts texts;
    const auto loaded = load_plugin(path);
    texts.put(loaded ? std::string{} : loaded.error().message);
    if (!loaded) return texts.bytes();
    const umbra_plugin& plugin = *loaded->plugin;
    texts.put(text_or_empty(plugin.summary));
    texts.put(text_or_empty(plugin.license));
    texts.put(list_of(plugin.capabilities));
    texts.put(std::to_string(plugin.option_count));
    for (std::size_t i = 0; i < plugin.option_count; ++i) {
        const umbra_option& option = plugin.options[i];
        texts.put({text_or_empty(option.key), type_text(option.type), text_or_empty(option.def),
                   text_or_empty(option.min), text_or_empty(option.max), text_or_empty(option.unit),
                   text_or_empty(option.help),
                   (option.flags & UMBRA_OPT_REQUIRED) != 0 ? "required" : "",
                   (option.flags & UMBRA_OPT_LIVE) != 0 ? "live" : "",
                   (option.flags & UMBRA_OPT_SECRET) != 0 ? "secret" : ""});
        texts.put(list_of(option.choices));
    }
    return texts.bytes();
}

/// In the parent. @return false when the child said something else.
bool understand(const std::string& bytes, Description& description) {
    Texts texts{bytes};
    description.refusal = texts.take();
    if (!description.refusal.empty()) return !texts.broken();
    description.summary = texts.take();
    description.license = texts.take();
    description.capabilities = texts.take_list();
    for (std::size_t left = texts.take_count(); left > 0 && !texts.broken(); --left) {
        const auto fields = texts.take_list();
        constexpr std::size_t field_count = 10;
        if (fields.size() != field_count) return false;
        OptionDescription option;
        option.key = fields[0];
        option.type = fields[1];
        option.def = fields[2];
        option.min = fields[3];
        option.max = fields[4];
        option.unit = fields[5];
        option.help = fields[6];
        option.required = !fields[7].empty();
        option.live = !fields[8].empty();
        option.secret = !fields[9].empty();
        option.choices = texts.take_list();
        description.options.push_back(std::move(option));
    }
    return !texts.broken();
}

}  // namespace

Description describe(const std::filesystem::path& path, Duration limit) {
    Description description;
    description.path = path;
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
        description.exists = true;
        description.size = static_cast<std::uint64_t>(status.st_size);
        description.owner = user_text(status.st_uid);
        description.mode = status.st_mode & 07777;
    }
    // What can be known without running anything in the file is judged here.
    const auto judge = [&]() -> std::string {
        const auto file = PluginFile::open(path);
        if (!file) return file.error().message;
        auto identity = file->read_identity();
        if (!identity) return identity.error().message;
        description.identity = std::move(*identity);
        const auto fit = check_abi(path, *description.identity);
        return fit ? std::string{} : fit.error().message;
    };
    description.refusal = judge();
    if (!description.loadable()) return description;

    const ChildOutcome child = run_in_child([&] { return load_and_tell(path); }, limit);
    if (!child.why.empty()) {
        description.refusal =
            path.string() + ": " + child.why + " while being loaded; its constructors are at fault";
    } else if (!understand(child.output, description)) {
        description.refusal = path.string() +
                              ": wrote over what was to be told about it while being loaded; its "
                              "constructors are at fault";
    }
    return description;
}

}  // namespace umbra::host
