#pragma once

#include <string>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"

namespace lvspec {

/// What a guest finds in its root. Everything lies at the path that it has on this machine, so that a program which
/// looks for its companions beside itself, or for fixtures where it was built, finds them there.
struct InitramfsContents {
  std::vector<std::string> programs;  ///< with the shared libraries and the loader that they name
  std::vector<std::string> trees;     ///< files, and folders with all that is in them
  std::string modules_dir;            ///< of one kernel release (module_set.h); empty: no modules
  std::vector<std::string> modules;   ///< by name; dependencies come by themselves
};

/// Where the guest finds the paths of its modules, one a line, in the order in which they must be loaded.
inline constexpr char kModuleOrder[] = "/lib/modules/lvspec.order";

/// An initramfs as the kernel unpacks it: a cpio archive of the "newc" kind, not packed, since a guest would spend
/// longer unpacking than we writing.
/// @return  a memfd that holds it: it has no name, so nothing is left behind, and many guests can be started from it.
/// Error: a file that is missing, a module that this kernel does not have.
Result<FileDescriptor> build_initramfs(const InitramfsContents& contents);

/// The shared libraries of a program, its loader first; empty for a static one. Asks the loader that the program
/// names (ld.so --list), which is the only one to know all that takes part: runpaths, ld.so.cache, hwcaps.
Result<std::vector<std::string>> shared_libraries(const std::string& program);

}  // namespace lvspec
