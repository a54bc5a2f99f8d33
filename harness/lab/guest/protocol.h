#pragma once

/// What a lab and the init of the guest that it starts say to each other.
namespace lvspec::guest_protocol {

/// Environment of the guest's init: which lab started it, "uml" or "qemu".
inline constexpr char kLab[] = "LVSPEC_GUEST";
/// The directory of the host in which the guest leaves what it has to show.
inline constexpr char kWritableDir[] = "LVSPEC_GUEST_DIR";
/// What the line about a failed setup begins with.
inline constexpr char kTrouble[] = "guest: ";
/// The last line on the console: this, the status, a space, the guest's uptime in ms.
inline constexpr char kReport[] = "lvspec-guest: done ";

}  // namespace lvspec::guest_protocol
