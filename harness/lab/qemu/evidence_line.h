#pragma once

#include <string>

#include "harness/base/result.h"

namespace lvspec {

/// Sends the files of a folder, and of those in it, down the guest's second serial line, /dev/ttyS1: for each a line
/// "SIZE NAME" and its bytes, then a line "end". A serial line because every kernel has it built in: no module, no
/// file system, no server on the host's side.
/// @param fd  a terminal or a file; a terminal is made transparent first.
Status send_folder(const std::string& folder, int fd);

/// Writes into `folder` what send_folder has sent, keeping what is there beside it. Nothing sent, nothing done.
/// Error: the sender did not come to its end; a name that leads out of the folder (it comes from a guest).
/// @param fd  a file that holds what came over the line; read from its beginning.
Status receive_folder(int fd, const std::string& folder);

}  // namespace lvspec
