#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// What a guest's init is given by way of the kernel's command line.
struct BootPassengers {
  std::vector<std::string> args;                                 ///< argv[1..]; no quotes or line ends, 26 at most
  std::vector<std::pair<std::string, std::string>> environment;  ///< as args; names without dots, 20 at most
  std::string lab;                                               ///< "uml" or "qemu"
  std::string writable_dir;                                      ///< empty: none
};

/// The words of a kernel's command line, those with blanks in quotes: the kernel's own, then the passengers.
/// Error (usage): something that a command line cannot carry, or more than `room` bytes with their separators.
Result<std::vector<std::string>> boot_words(std::vector<std::string> words, const BootPassengers& passengers,
                                            std::size_t room);

}  // namespace lvspec
