#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// The name of the file of digests in a report's folder. Its lines are those of sha256sum(1), so that
/// `sha256sum -c SHA256SUMS` looks at the same.
inline constexpr std::string_view kDigestsName = "SHA256SUMS";

/// SHA-256 of a text, in lower-case hex.
std::string sha256_of(std::string_view text);

/// Path below the folder -> digest in hex, sorted by path.
using Digests = std::map<std::string, std::string>;

/// Digests of the given files, and of all files in the given folders below them.
/// @param names  below `dir`: "results.json", "evidence/pcc.same-client-all-ports.bundled".
/// Error: a file that cannot be read, or is no ordinary one.
Result<Digests> digest_files(const std::string& dir, const std::vector<std::string>& names);

std::string digests_text(const Digests& digests);
/// Error (kUsage): file and line.
Result<Digests> read_digests(std::string_view text, const std::string& file);

/// What of a report is no longer as it was written; paths, sorted.
struct Tampering {
  std::vector<std::string> changed, missing, extra;
  std::size_t files = 0;  ///< that the digests name

  bool none() const { return changed.empty() && missing.empty() && extra.empty(); }
};

/// Compares a report with its digests. A symbolic link, a device, or a file that cannot be read counts as changed.
/// Error (kUsage): there are no digests, or they cannot be read.
Result<Tampering> verify_report(const std::string& dir);

/// Writes the digests of the given files and folders. What the digests of an earlier report in the same folder name
/// and these do not, is removed: evidence that no result cites any more.
Status seal_report(const std::string& dir, const std::vector<std::string>& names);

}  // namespace lvspec
