#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/ipvs/mark_table.h"

namespace lvspec {

/// Marks by nf_tables: a table "lvspec" of each family with one chain, type filter, hook prerouting, priority -150
/// (mangle), and nothing else touched. Replacing is one transaction for both families.
/// Source: Linux net/netfilter/nf_tables_api.c, nf_tables_commit(); nft_bitwise.c: (mark & mask) ^ xor.
class NftMarks : public MarkTable {
 public:
  static Result<std::unique_ptr<MarkTable>> open(const NetworkNamespace& netns);
  const char* machine() const override { return "nf_tables"; }
  Status replace(const std::vector<MarkRule>& rules) override;

 private:
  NftMarks(std::string netns, FileDescriptor socket) : netns_(std::move(netns)), socket_(std::move(socket)) {}

  std::string netns_;  // its name
  FileDescriptor socket_;
  std::vector<int> families_;  // that have our table
};

/// A transaction as it goes over the wire. Pure, for tests.
struct NftBatch {
  std::vector<char> bytes;
  std::vector<std::string> messages;  ///< what each says, by its sequence number; for errors
};

/// Everything that makes `rules` the only ones: for each of `families` (AF_INET, AF_INET6, in the kernel's numbers
/// NFPROTO_*) the old table goes, whether it was there or not, and comes anew if the family has rules.
NftBatch nft_marks_batch(const std::vector<MarkRule>& rules, const std::vector<int>& families);

}  // namespace lvspec
