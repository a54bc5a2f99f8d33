#pragma once

#include <string>

#include "harness/base/result.h"

namespace lvspec {

/// A kernel module (64-bit ELF object) as init_module takes it, without its debug information, which is three
/// quarters of user-mode-linux's modules (ipv6: 2.7 MB, of which 0.7 remain). The kernel copies a module page by page
/// into memory that, in user-mode-linux, costs one mmap of the host a page. Only what is kept is read. Error: not
/// such an object, or it cannot be read.
Status module_without_debug_info(int fd, std::string* image);

}  // namespace lvspec
