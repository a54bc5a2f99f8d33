#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/netns/namespace.h"
#include "harness/ruleset/ruleset.h"

namespace lvspec {

/// The rules of one network namespace that put marks on packets before IPVS sees them: netfilter's mangle PREROUTING,
/// with the meaning of MarkRule::apply, IPv4 and IPv6.
///
/// Netfilter has two machines for it, and which of them a kernel has differs: a distribution's kernel has nf_tables
/// for IP, Debian's user-mode-linux has only x_tables there (CONFIG_NF_TABLES_IPV4 and _INET are not set).
class MarkTable {
 public:
  virtual ~MarkTable() = default;
  /// "nf_tables" or "x_tables", for errors and reports.
  virtual const char* machine() const = 0;
  /// Puts these rules in place of all earlier ones; each family changes at one stroke, or stays as it was.
  virtual Status replace(const std::vector<MarkRule>& rules) = 0;
};

/// x_tables where its tables are loaded, as a guest's init does it (iptable_mangle, ip6table_mangle, xt_mark,
/// xt_multiport), else nf_tables. Error: the socket that was refused.
Result<std::unique_ptr<MarkTable>> open_mark_table(const NetworkNamespace& netns);

/// The same ports as ranges that neither overlap nor touch, ascending; empty stays empty. A rule that has to be told
/// as several must not fit a packet twice, because of two rules that fit the second would rewrite what the first
/// wrote.
std::vector<PortRange> disjoint(std::vector<PortRange> ranges);

}  // namespace lvspec
