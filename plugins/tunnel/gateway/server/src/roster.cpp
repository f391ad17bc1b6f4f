#include "roster.hpp"

#include <umbra/config/values.hpp>
#include <umbra/gateway/hex.hpp>

#include <boost/json.hpp>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace umbra::gateway {
namespace json = boost::json;
namespace {

constexpr std::int64_t roster_format = 1;

std::string text_of(const json::value& value, const char* key) {
    return json::value_to<std::string>(value.as_object().at(key));
}

/// A name that went through `is_name` when it was written: it becomes part of a file name.
std::string name_of(const json::value& value, const char* key) {
    auto name = text_of(value, key);
    if (!config::is_name(name)) throw std::invalid_argument("a name can not be");
    return name;
}

}  // namespace

Result<Roster> Roster::parse(std::string_view text) {
    // Written by this program only, so whatever is missing or odd means damage, not a choice.
    try {
        const json::value root = json::parse(json::string_view(text.data(), text.size()));
        if (root.at("format").as_int64() != roster_format)
            return Error{Errc::data_loss, "it was written by another version"};
        Roster roster;
        for (const auto& one : root.at("nodes").as_array()) {
            EnrolledNode node{name_of(one, "node"),
                              name_of(one, "pair"),
                              text_of(one, "pin"),
                              text_of(one, "since"),
                              {},
                              {}};
            // Versions before these did not write them.
            if (one.as_object().contains("next_pin")) node.next_pin = text_of(one, "next_pin");
            if (one.as_object().contains("knows")) node.knows = text_of(one, "knows");
            if (!well_formed({node.pin, node.next_pin}) ||
                (!node.knows.empty() && !parse_pin(node.knows)))
                return Error{Errc::data_loss, "a pin in it is damaged"};
            roster.nodes_.push_back(std::move(node));
        }
        for (const auto& one : root.at("invitations").as_array()) {
            OpenInvitation invitation;
            invitation.node = name_of(one, "node");
            invitation.pair = name_of(one, "pair");
            invitation.expires = one.at("expires").as_int64();
            invitation.wrong = static_cast<int>(one.at("wrong").as_int64());
            if (!from_hex(text_of(one, "id"), invitation.id) ||
                !from_hex(text_of(one, "key"), invitation.key))
                return Error{Errc::data_loss, "an invitation in it is damaged"};
            roster.invitations_.push_back(std::move(invitation));
        }
        for (const auto& one : root.at("pairs").as_array())
            roster.pairs_.insert(json::value_to<std::string>(one));
        return roster;
    } catch (const std::exception&) {
        return Error{Errc::data_loss, "it is not what this program wrote"};
    }
}

std::string Roster::to_json() const {
    json::array nodes;
    for (const auto& one : nodes_) {
        json::object node{
            {"node", one.node}, {"pair", one.pair}, {"pin", one.pin}, {"since", one.since}};
        if (!one.next_pin.empty()) node["next_pin"] = one.next_pin;
        if (!one.knows.empty()) node["knows"] = one.knows;
        nodes.push_back(std::move(node));
    }
    json::array invitations;
    for (const auto& one : invitations_)
        invitations.push_back(json::object{{"id", to_hex(one.id)},
                                           {"key", to_hex(one.key)},
                                           {"node", one.node},
                                           {"pair", one.pair},
                                           {"expires", one.expires},
                                           {"wrong", one.wrong}});
    json::array pairs;
    for (const auto& one : pairs_) pairs.push_back(json::string(one));
    return json::serialize(json::object{{"format", roster_format},
                                        {"nodes", std::move(nodes)},
                                        {"invitations", std::move(invitations)},
                                        {"pairs", std::move(pairs)}}) +
           "\n";
}

const EnrolledNode* Roster::find_pin(std::string_view pin) const {
    const auto found = std::ranges::find_if(nodes_, [&](const EnrolledNode& one) {
        return KeyPins{one.pin, one.next_pin}.contains(pin);
    });
    return found == nodes_.end() ? nullptr : &*found;
}

const EnrolledNode* Roster::find_node(std::string_view pair, std::string_view node) const {
    const auto found = std::ranges::find_if(
        nodes_, [&](const EnrolledNode& one) { return one.pair == pair && one.node == node; });
    return found == nodes_.end() ? nullptr : &*found;
}

EnrolledNode* Roster::node_at(std::string_view pair, std::string_view node) {
    return const_cast<EnrolledNode*>(std::as_const(*this).find_node(pair, node));
}

const OpenInvitation* Roster::find_invitation(const InvitationId& id) const {
    const auto found = std::ranges::find(invitations_, id, &OpenInvitation::id);
    return found == invitations_.end() ? nullptr : &*found;
}

std::set<std::string> Roster::members(std::string_view pair) const {
    std::set<std::string> names;
    for (const auto& one : nodes_)
        if (one.pair == pair) names.insert(one.node);
    return names;
}

void Roster::drop_expired(std::int64_t now) {
    // Also those that expire later than any could: the wall clock was set back.
    std::erase_if(invitations_, [&](const OpenInvitation& one) {
        return one.expires <= now || one.expires > now + invitation_life.count();
    });
}

Result<Done> Roster::invite(OpenInvitation invitation) {
    // A new invitation for a node replaces the one before it.
    std::erase_if(invitations_, [&](const OpenInvitation& one) {
        return one.node == invitation.node && one.pair == invitation.pair;
    });
    if (invitations_.size() >= invitations_max)
        return Error{Errc::exhausted, std::to_string(invitations_max) +
                                          " invitations are open; wait until one expires"};
    const bool new_pair = !pairs_.contains(invitation.pair);
    if (new_pair && pairs_.size() >= pairs_max)
        return Error{Errc::exhausted,
                     "this gateway serves " + std::to_string(pairs_max) + " pairs already"};
    invitations_.push_back(std::move(invitation));
    return Done{};
}

void Roster::enrol(const InvitationId& id, std::string pin, std::string since) {
    const auto found = std::ranges::find(invitations_, id, &OpenInvitation::id);
    if (found == invitations_.end()) return;
    EnrolledNode node{found->node, found->pair, std::move(pin), std::move(since), {}, {}};
    invitations_.erase(found);
    remove(node.pair, node.node);
    std::erase_if(nodes_, [&](const EnrolledNode& one) {
        return KeyPins{one.pin, one.next_pin}.contains(node.pin);
    });
    pairs_.insert(node.pair);
    nodes_.push_back(std::move(node));
}

bool Roster::count_wrong(const InvitationId& id) {
    const auto found = std::ranges::find(invitations_, id, &OpenInvitation::id);
    if (found == invitations_.end() || ++found->wrong < wrong_proofs_max) return false;
    invitations_.erase(found);
    return true;
}

Result<Done> Roster::set_keys(std::string_view pair, std::string_view node, std::string_view shown,
                              const KeyPins& theirs) {
    auto* known = node_at(pair, node);
    if (known == nullptr || !KeyPins{known->pin, known->next_pin}.contains(shown))
        return Error{Errc::refused, "the key of its link is not enrolled any more"};
    for (const auto& one : nodes_)
        if (&one != known && (theirs.contains(one.pin) || theirs.contains(one.next_pin)))
            return Error{Errc::refused, "node " + one.node + " has that key"};
    known->pin = theirs.present;
    known->next_pin = theirs.next;
    return Done{};
}

Result<Done> Roster::note_known(std::string_view pair, std::string_view node, std::string pin) {
    auto* known = node_at(pair, node);
    if (known == nullptr) return Error{Errc::refused, "it was removed just now"};
    if (known->knows == pin) return Error{Errc::conflict, "that is known"};
    known->knows = std::move(pin);
    return Done{};
}

std::vector<const EnrolledNode*> Roster::who_does_not_know(std::string_view pin) const {
    std::vector<const EnrolledNode*> nodes;
    for (const auto& one : nodes_)
        if (one.knows != pin) nodes.push_back(&one);
    return nodes;
}

bool Roster::remove(std::string_view pair, std::string_view node) {
    return std::erase_if(nodes_, [&](const EnrolledNode& one) {
               return one.pair == pair && one.node == node;
           }) > 0;
}

Result<NewInvitation> make_invitation(std::string node, std::string pair, const Digest& gateway_pin,
                                      std::int64_t now) {
    NewInvitation made;
    auto& sent = made.sent;
    sent.gateway_pin = gateway_pin;
    if (RAND_bytes(sent.id.data(), static_cast<int>(sent.id.size())) != 1 ||
        RAND_bytes(sent.secret.data(), static_cast<int>(sent.secret.size())) != 1)
        return Error{Errc::internal, "no random numbers for an invitation"};
    made.kept.id = sent.id;
    unsigned length = 0;
    if (EVP_Digest(sent.secret.data(), sent.secret.size(), made.kept.key.data(), &length,
                   EVP_sha256(), nullptr) != 1)
        return Error{Errc::internal, "SHA-256 is not available"};
    made.kept.node = std::move(node);
    made.kept.pair = std::move(pair);
    made.kept.expires = now + invitation_life.count();
    return made;
}

bool proof_fits(const OpenInvitation& invitation, ByteView exporter, const Digest& proof) {
    Digest expected{};
    unsigned length = 0;
    if (HMAC(EVP_sha256(), invitation.key.data(), static_cast<int>(invitation.key.size()),
             exporter.data(), exporter.size(), expected.data(), &length) == nullptr)
        return false;
    return length == expected.size() &&
           CRYPTO_memcmp(expected.data(), proof.data(), expected.size()) == 0;
}

}  // namespace umbra::gateway
