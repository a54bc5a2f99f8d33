#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// Which cases of the catalogue a run is about; what is left empty selects everything.
struct Selection {
  std::vector<std::string> suites;  ///< --suite
  std::vector<std::string> globs;   ///< --case: shell patterns over ids
  std::string level = "all";        ///< must; should (and must); all
  int shard = 1, shards = 1;        ///< --shard I/N: the cases whose place in the catalogue is I modulo N
  std::uint64_t seed = 0;           ///< not 0: the order is shuffled
};

/// "I/N". Error (kUsage): what is wrong with the text.
Status read_shard(const std::string& text, Selection* selection);

/// @return the selected cases, by id or shuffled. Error (kUsage): a suite that does not exist, or a case without a
/// wildcard that does not, with the nearest names. A pattern that fits nothing is no error: nothing is selected.
Result<std::vector<CaseInfo>> select(const std::vector<CaseInfo>& catalogue, const Selection& selection);

/// A digest of the whole catalogue: equal digests mean equal cases, levels and clauses.
std::string digest_of(const std::vector<CaseInfo>& catalogue);

}  // namespace lvspec
