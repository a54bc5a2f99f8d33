#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/ipvs/mark_table.h"

namespace lvspec {

/// Marks by x_tables: the table "mangle" of each family, replaced as a whole through the sockets' options that
/// iptables-legacy uses as well. Whatever else was in that table goes: the namespace is the director's own.
/// Source: Linux net/ipv4/netfilter/ip_tables.c, do_replace(), translate_table(); net/netfilter/xt_mark.c, mark_tg():
/// mark = (mark & ~mask) ^ value; net/netfilter/xt_multiport.c, ports_match_v1().
class XtMarks : public MarkTable {
 public:
  static Result<std::unique_ptr<MarkTable>> open(const NetworkNamespace& netns);
  const char* machine() const override { return "x_tables"; }
  Status replace(const std::vector<MarkRule>& rules) override;

 private:
  XtMarks(std::string netns, FileDescriptor v4, FileDescriptor v6)
      : netns_(std::move(netns)), v4_(std::move(v4)), v6_(std::move(v6)) {}

  std::string netns_;  // its name
  FileDescriptor v4_, v6_;
  bool has_v4_ = false, has_v6_ = false;  // whether we have put rules there
};

/// The part of a table behind its header: rules as the kernel wants them, packed. Pure, for tests.
struct XtBlob {
  std::vector<char> entries;
  unsigned count = 0;
  unsigned hook_entry[5] = {};  ///< offsets of the chains' first entries, by hook
  unsigned underflow[5] = {};   ///< offsets of their policies
};

/// The mangle table with these rules of one family in PREROUTING, every policy ACCEPT.
XtBlob xt_mangle_table(const std::vector<MarkRule>& rules, int family);

}  // namespace lvspec
