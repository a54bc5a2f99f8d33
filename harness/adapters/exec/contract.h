#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/adapters/director_under_test.h"
#include "harness/base/result.h"
#include "harness/ruleset/ruleset.h"

/// The words of the open contract, version 1: README.md of this room has it for those who write an adapter,
/// fixtures/schemas/adapter.schema.json for machines.
namespace lvspec::exec {

inline constexpr int kContractVersion = 1;

/// Every capability that an adapter may claim.
const std::vector<std::string>& capability_words();

/// The reply to "hello" as an identity. Error: what in it is not the contract, with its place.
Result<DirectorIdentity> identity_in(const nlohmann::json& hello);
nlohmann::json say(const Affinity& affinity);

/// Whether a director claims this, by any of the words that the capability has ("nat" and "masq" are one).
bool claims(const DirectorIdentity& identity, const std::string& capability);

/// What a service needs beyond what is claimed, in words: "firewall marks"; empty if nothing. A director that names
/// no forwarding method at all forwards in its own way, and is asked for none.
std::string not_claimed(const DirectorIdentity& identity, const VirtualService& service);

/// The whole ruleset, as "apply" has it.
nlohmann::json say(const Ruleset& ruleset);

/// The reply to "dump" as tables. Fields that are left out have their defaults. Error: what is not the contract.
Result<Tables> tables_in(const nlohmann::json& reply);

}  // namespace lvspec::exec
