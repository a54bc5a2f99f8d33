#pragma once

#include <cstddef>
#include <span>

#include "harness/base/result.h"

namespace lvspec {

/// Reads a kernel module (64-bit ELF object) as init_module takes it, without its debug information: three quarters
/// of user-mode-linux's modules (ipv6 has 2.7 MB, of which 0.7 remain), all of which the kernel would copy, page by
/// page.
/// @param buffer  receives the image. Best is memory that nobody has touched: the kernel fills such pages by itself,
///                while each page that a program touches first is a fault, in a guest some 0.1 ms.
/// @return  the size of the image. Error: not such an object, it cannot be read, or the buffer is too small.
Result<std::size_t> module_without_debug_info(int fd, std::span<char> buffer);

}  // namespace lvspec
