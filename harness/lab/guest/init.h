#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// What the inits of all guests have in common; each lab's own furnishing is in uml/guest_init.h and
/// qemu/qemu_init.h.

/// Modules of the kernel's own IPVS and of the worlds we build around it, by name. Dependencies come by themselves.
const std::vector<std::string>& ipvs_modules();

/// Whether this process is PID 1 of a guest that the lab of this name, "uml" or "qemu", has started.
bool is_init_of(const std::string& lab);

Status mount_at(const std::string& type, const std::string& path, const std::string& options = "");

/// Gives programs a PATH and room for their files in /run, and raises loopback.
Status settle_in();

/// One life of PID 1: furnishes the guest, runs `body`, hands over what it wrote, reports on the console. A setup or
/// a handing over that fails is status 4 (harness error), after a line that says why.
/// @param hand_over  what body has written reaches the host.
void live_as_init(const std::function<Status()>& furnish, const std::function<int()>& body,
                  const std::function<Status()>& hand_over);

}  // namespace lvspec
