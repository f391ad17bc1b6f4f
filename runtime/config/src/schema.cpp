#include "literal.hpp"
#include "option_schema.hpp"
#include "reader.hpp"
#include <umbra/config/schema.hpp>

#include <algorithm>

namespace umbra::config {

Problem Origin::problem(Position at, std::string key, std::string text, std::string help) const {
    Problem problem;
    if (source != nullptr) {
        problem = source->problem(at, std::move(text), std::move(help));
    } else {
        problem.file = where;
        problem.text = std::move(text);
        problem.help = std::move(help);
    }
    problem.key = std::move(key);
    return problem;
}

/// Walks a tree and a schema side by side. Goes on after every mistake.
class Validator {
public:
    Validator(const Origin& origin, Problems& problems) : origin_(origin), problems_(problems) {}

    /// @param node  Null: the table is absent.
    Section table(const Table& schema, const Node* node, const std::string& path, Position at) {
        Section section;
        section.name_ = schema.name;
        section.path_ = path;
        section.given_ = node != nullptr;
        section.at_ = at;
        section.values_.reserve(schema.keys.size());
        for (const Key& key : schema.keys) read_key(schema, key, node, section);
        for (const Table& inner : schema.tables) {
            const Entry* entry = node == nullptr ? nullptr : node->find(inner.name);
            auto& groups = inner.named ? section.named_ : section.tables_;
            // Sections are large: made where they stay.
            auto& group = groups.emplace_back(Section::Group{inner.name, {}}).members;
            if (inner.named) {
                group = members(inner, entry, path);
            } else {
                group.push_back(sub_table(inner, entry, section));
            }
        }
        if (node != nullptr) report_unknown(schema, *node, path);
        return section;
    }

private:
    static std::string join(const std::string& path, const std::string& key) {
        return path.empty() ? key_literal(key) : path + "." + key_literal(key);
    }

    static std::string bracketed(const std::string& path) {
        return path.empty() ? "the file" : "[" + path + "]";
    }

    static std::string owned(const Table& schema) {
        return schema.owner.empty() ? "" : " (options of " + schema.owner + ")";
    }

    void report(Position at, std::string key, std::string text, std::string help,
                bool secret = false) {
        Problem problem = origin_.problem(at, std::move(key), std::move(text), std::move(help));
        if (secret) problem.source_line.clear();
        problems_.add(std::move(problem));
    }

    void read_key(const Table& schema, const Key& key, const Node* node, Section& section) {
        const Entry* entry = node == nullptr ? nullptr : node->find(key.name);
        if (entry == nullptr) {
            use_default(schema, key, section);
            return;
        }
        Reader reader(origin_);
        auto value = reader.read(key, entry->value);
        if (!value) {
            report(reader.fault().at, join(section.path_, key.name),
                   in_quotes(key.name) + " " + reader.fault().text, reader.fault().help,
                   key.secret);
            return;
        }
        value->key_at = entry->at;
        section.values_.push_back({key.name, std::move(*value)});
    }

    void use_default(const Table& schema, const Key& key, Section& section) {
        if (!key.def.empty()) {
            if (auto value = Reader(origin_).read_default(key)) {
                value->at = value->key_at = section.at_;
                section.values_.push_back({key.name, std::move(*value)});
            }
            return;
        }
        if (!key.required || !section.given_) return;
        report(section.at_, join(section.path_, key.name),
               bracketed(section.path_) + " needs the key " + in_quotes(key.name) + ", " +
                   describe(key) + owned(schema),
               key.help);
    }

    Section sub_table(const Table& schema, const Entry* entry, const Section& outer) {
        const std::string path = join(outer.path_, schema.name);
        const Node* node = entry == nullptr ? nullptr : table_of(*entry, path, schema.help);
        if (entry == nullptr && schema.required && outer.given_) {
            const std::string place = outer.path_.empty() ? "" : " in [" + outer.path_ + "]";
            report(outer.at_, path, "the table [" + path + "] is missing" + place, schema.help);
        }
        static const Node empty;
        if (entry == nullptr && schema.implied && outer.given_) node = &empty;
        return table(schema, node, path, entry == nullptr ? outer.at_ : entry->value.at);
    }

    std::vector<Section> members(const Table& schema, const Entry* group,
                                 const std::string& outer) {
        std::vector<Section> out;
        if (group == nullptr) return out;
        const std::string path = join(outer, schema.name);
        const Node* node = table_of(*group, path, "write [" + path + ".NAME]");
        if (node == nullptr) return out;
        for (const Entry& member : node->entries) {
            const std::string own = join(path, member.key);
            if (const std::string fault = name_fault(member.key); !fault.empty()) {
                report(member.at, own,
                       in_quotes(member.key) + " is not a name for [" + path + ".NAME]: " + fault,
                       {});
            }
            const Node* inner = table_of(member, own, "write [" + path + ".NAME]");
            if (inner == nullptr) continue;
            out.push_back(table(schema, inner, own, member.value.at));
            out.back().name_ = member.key;
        }
        return out;
    }

    const Node* table_of(const Entry& entry, const std::string& path, const std::string& help) {
        if (entry.value.kind == Node::Kind::table) return &entry.value;
        Reader reader(origin_);
        const Key key{.name = entry.key, .type = Type::table};
        (void)reader.read(key, entry.value);
        report(entry.at, path, in_quotes(entry.key) + " " + reader.fault().text, help);
        return nullptr;
    }

    static bool knows(const Table& schema, const std::string& name) {
        const auto has_name = [&](const auto& one) { return one.name == name; };
        return std::any_of(schema.keys.begin(), schema.keys.end(), has_name) ||
               std::any_of(schema.tables.begin(), schema.tables.end(), has_name);
    }

    /// Names that a misspelled one may mean.
    static std::vector<std::string> meant(const Table& schema) {
        std::vector<std::string> near = schema.also;
        for (const Key& key : schema.keys) near.push_back(key.name);
        for (const Table& inner : schema.tables) near.push_back(inner.name);
        std::sort(near.begin(), near.end());
        near.erase(std::unique(near.begin(), near.end()), near.end());
        return near;
    }

    void report_unknown(const Table& schema, const Node& node, const std::string& path) {
        for (const Entry& entry : node.entries) {
            if (knows(schema, entry.key)) continue;
            const std::vector<std::string> near = meant(schema);
            const bool is_table = entry.value.kind == Node::Kind::table;
            const std::string own = join(path, entry.key);
            std::string text =
                is_table ? "unknown table [" + own + "]"
                         : "unknown key " + in_quotes(entry.key) + " in " + bracketed(path);
            // Schemas without keys, for example of a plugin without options, know nothing nearer.
            std::string help = near.empty() ? "nothing can be set here" : suggest(entry.key, near);
            // The value may be a secret under a misspelled key.
            const bool secret = std::any_of(schema.keys.begin(), schema.keys.end(),
                                            [](const Key& key) { return key.secret; });
            report(entry.at, own, std::move(text) + owned(schema), std::move(help), secret);
        }
    }

    const Origin& origin_;
    Problems& problems_;
};

Section validate_at(const Node& table, const Table& schema, const std::string& path,
                    const Origin& origin, Problems& problems) {
    return Validator(origin, problems).table(schema, &table, path, table.at);
}

Section validate(const Node& root, const Table& schema, const Origin& origin, Problems& problems) {
    return validate_at(root, schema, schema.name, origin, problems);
}

std::optional<Section> load(const std::filesystem::path& file, const Table& schema,
                            Problems& problems) {
    const auto source = Source::read(file, problems);
    if (!source) return std::nullopt;
    const auto root = parse(*source, problems);
    if (!root) return std::nullopt;
    return validate(*root, schema, Origin{.source = &*source}, problems);
}

}  // namespace umbra::config
