#include "harness/ipvs/mark_table.h"

#include <unistd.h>

#include <algorithm>

#include "harness/ipvs/nft_marks.h"
#include "harness/ipvs/xt_marks.h"

namespace lvspec {

Result<std::unique_ptr<MarkTable>> open_mark_table(const NetworkNamespace& netns) {
  LVSPEC_ASSIGN(const bool x_tables, netns.call([]() -> Result<bool> {
    return access("/proc/thread-self/net/ip_tables_names", F_OK) == 0;
  }));
  if (x_tables) return XtMarks::open(netns);
  return NftMarks::open(netns);
}

std::vector<PortRange> disjoint(std::vector<PortRange> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<PortRange> merged;
  for (const PortRange& range : ranges) {
    if (!merged.empty() && range.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

}  // namespace lvspec
