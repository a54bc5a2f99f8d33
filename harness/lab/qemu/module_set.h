#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// A kernel module as finit_module takes it: not compressed.
struct ModuleImage {
  std::string name;  ///< with underlines: "ip_vs_rr"
  std::string image;
};

/// The named modules and all that they need, each after what it needs; without those that are part of the kernel.
///
/// What a module needs is read from the module itself (.modinfo, "depends=" and "softdep=pre:"): modules.dep is
/// depmod's work and only there where the package was installed, not where we have unpacked it.
/// @param dir  of one kernel release; holds kernel/ and modules.builtin.
/// Error: a module that is neither there nor built in, named with what that means; one that cannot be read.
Result<std::vector<ModuleImage>> modules_in_load_order(const std::string& dir, const std::vector<std::string>& names);

/// What .modinfo says of a module: the values of one key, in order.
/// @param image  a 64-bit ELF object; of anything else there are none.
std::vector<std::string> module_info(const std::string& image, const std::string& key);

}  // namespace lvspec
