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

namespace qemu_protocol {

/// Environment of the guest's init: set, if QemuGuest started it.
inline constexpr char kMark[] = "LVSPEC_QEMU_GUEST";
/// The folder whose content goes to the host when the body has returned.
inline constexpr char kWritableDir[] = "LVSPEC_QEMU_WRITABLE_DIR";
/// What the line about a failed setup begins with.
inline constexpr char kTrouble[] = "guest: ";

}  // namespace qemu_protocol
}  // namespace lvspec
