#pragma once

#include <functional>

namespace lvspec {

/// Whether this process is PID 1 of a guest that QemuGuest has started.
bool is_qemu_init();

/// The whole life of PID 1 in a qemu guest: furnishes the guest (proc, sysfs, devtmpfs, the modules that
/// build_initramfs has put in, loopback), runs `body`, sends what it left in writable_dir to the host, reports its
/// result to QemuGuest::wait, and resets the machine, which ends qemu. A setup that fails is reported as status 4
/// after a line that says why.
/// @param body  returns the status, 0 to 255.
[[noreturn]] void run_qemu_init(const std::function<int()>& body);

}  // namespace lvspec
