#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"
#include "harness/lab/guest/init.h"

namespace lvspec {

/// What a program does before its work when it is PID 1 of a guest.
struct GuestInit {
  std::vector<std::string> modules = ipvs_modules();
  std::string modules_dir = "/usr/lib/uml/modules";  ///< holds one directory a kernel release
};

/// Whether this process is PID 1 of a guest that UmlGuest has started.
bool is_guest_init();

/// The whole life of PID 1: furnishes the guest, runs `body`, reports its result to UmlGuest::wait, powers off.
/// What `body` wrote into writable_dir is on the host by then. A setup that fails is reported as status 4 after a
/// line that says why.
/// @param body  returns the status, 0 to 255.
[[noreturn]] void run_guest_init(const GuestInit& how, const std::function<int()>& body);

/// Loads one module and first what it depends on, as modules.dep says; one that is there already is fine.
/// Works with uncompressed modules (.ko), which user-mode-linux has.
Status load_module(const std::string& release_dir, const std::string& name);

/// The paths of modules.dep that make up `name`, in the order in which they must be loaded; '-' and '_' are the same.
/// @param modules_dep  the text of that file. Error: no such module.
Result<std::vector<std::string>> module_load_order(std::string_view modules_dep, const std::string& name);

}  // namespace lvspec
