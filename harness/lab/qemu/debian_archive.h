#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// A Debian archive as apt sees it: one mirror, several suites of it, and who signs them.
struct DebianArchive {
  std::string mirror = "http://deb.debian.org/debian";
  std::vector<std::string> suites;  ///< "bookworm-backports"
  std::string keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
};

/// Where a machine would find Debian's kernels that its own package lists may lack: its release and the backports to
/// it, and those of Debian 12, on the mirror that its own lists name for the release.
/// @param os_release  content of /etc/os-release; of another distribution or none: Debian 12
/// @param targets     what `apt-get indextargets --format '$(RELEASE) $(REPO_URI)'` printed
DebianArchive debian_archive(std::string_view os_release, std::string_view targets);

/// The same for the machine that we are on.
DebianArchive debian_archive_of_this_machine();

/// apt by a configuration: `conf` is empty for this machine's own, else what apt_for() gave.
struct Apt {
  std::string conf;

  /// Names of packages that fit, as apt-cache search --names-only has them; empty if there are none.
  Result<std::vector<std::string>> names(const std::string& regular_expression) const;
  /// Leaves PACKAGE_*.deb in a folder.
  Status download(const std::string& package, const std::string& into) const;
};

/// An apt with an archive's lists, fetched and checked now, and nothing else: all it has lies in `folder`, so it
/// needs no root, and this machine's sources, lists, locks and hooks are left alone; its proxies hold.
/// Errors: the keyring is missing (and which package has it), the archive cannot be reached or is not signed by it.
Result<Apt> apt_for(const DebianArchive& archive, const std::string& folder);

}  // namespace lvspec
