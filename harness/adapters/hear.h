#pragma once

#include <vector>

#include "director/control/protocol.h"
#include "harness/adapters/tables.h"
#include "harness/ruleset/ruleset.h"

namespace lvspec {

/// What a director says in the words of the control protocol, as our model has it.
ServiceId hear(const director::protocol::ServiceId& id);
ServerState hear(const director::protocol::ServerRow& row);
ServiceState hear(const director::protocol::ServiceRow& row);
Entry hear(const director::protocol::EntryRow& row);

/// Mark rules in those words; one rule with several port ranges is a rule for each pair of ranges, and rules of
/// interfaces that the director does not hear are left out.
std::vector<director::protocol::Mark> say_marks(const std::vector<MarkRule>& rules);

/// Into the order of Tables::entries.
void sort_entries(std::vector<Entry>* entries);

}  // namespace lvspec
