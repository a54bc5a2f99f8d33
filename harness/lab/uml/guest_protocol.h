#pragma once

/// What UmlGuest and the init it starts say to each other.
namespace lvspec::guest_protocol {

/// Environment of the guest's init: set, if UmlGuest started it.
inline constexpr char kMark[] = "LVSPEC_UML_GUEST";
/// The directory of the host to mount writable, at the same path.
inline constexpr char kWritableDir[] = "LVSPEC_UML_WRITABLE_DIR";
/// The last line on the console before power-off: this, the status, a space, the guest's uptime in ms.
inline constexpr char kReport[] = "lvspec-uml-guest: done ";

}  // namespace lvspec::guest_protocol
