#include "retry.hpp"

#include <umbra/config/shared_config.hpp>
#include <umbra/config/shared_document.hpp>

#include <algorithm>
#include <string_view>

namespace umbra::instance {

namespace {

bool is_at_or_below(const std::string& key, std::string_view root) {
    return key.starts_with(root) && (key.size() == root.size() || key[root.size()] == '.');
}

/// Every key that `made` changed is one that the edit names.
bool names_all(const Edit& edit, const core::Entry& made) {
    return std::all_of(made.changes.begin(), made.changes.end(), [&](const core::Change& done) {
        return std::any_of(edit.changes.begin(), edit.changes.end(), [&](const auto& change) {
            const auto key = config::canonical_key(change.key);
            return key.ok() && is_at_or_below(done.key, *key);
        });
    });
}

/// What the edit makes of the configuration after it was made: the same, if it was this one.
std::optional<core::Document> again(const Edit& edit, core::Document document,
                                    const config::PluginCatalog& catalog) {
    if (edit.document) {
        return config::load_shared(config::Source::from_text(*edit.document, "input"), catalog)
            .document;
    }
    for (const auto& change : edit.changes) {
        auto made = change.literal ? config::set_changes(document, change.key, *change.literal)
                                   : config::unset_changes(document, change.key);
        if (made.ok()) {
            core::apply(document, *made);
        } else if (change.literal) {
            return std::nullopt;
        }  // Else there is nothing to remove any more.
    }
    return document;
}

bool is_rollback(const core::Entry& made, const std::string& revision) {
    const std::string begin = "rollback to " + revision;
    return made.message == begin || made.message.starts_with(begin + ": ");
}

}  // namespace

std::optional<Reply> not_a_retry(const Edit& edit, const core::Log& log,
                                 const config::PluginCatalog& catalog) {
    const auto revision = log.find_op(edit.op_id);
    const core::Logged* const logged = revision ? log.at(revision->seq) : nullptr;
    const auto made = logged != nullptr ? core::decode_entry(logged->body) : std::nullopt;
    if (!made || made->op_id != edit.op_id) return std::nullopt;
    bool same = false;
    if (!edit.rollback_to.empty()) {
        same = is_rollback(*made, edit.rollback_to);
    } else if (const auto then = log.document_at(revision->seq)) {
        same = again(edit, *then, catalog) == then && (edit.document || names_all(edit, *made));
    }
    if (same) return std::nullopt;
    return Reply{Outcome::refused,
                 "the operation id " + edit.op_id + " is that of another edit, revision " +
                     core::to_string(*revision) + " by " + made->author +
                     "; give this one an id of its own",
                 {},
                 {},
                 {}};
}

}  // namespace umbra::instance
