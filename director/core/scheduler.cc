#include "director/core/scheduler.h"

#include <array>

namespace lvspec::director {

std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const VirtualService& service,
                                          const SchedulerContext& /*context*/) {
  if (name == "rr") return make_rr();
  if (name == "wrr") return make_wrr(service);
  if (name == "lc") return make_lc();
  if (name == "wlc") return make_wlc();
  return nullptr;
}

bool is_kernel_scheduler(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kNames = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh",
                                                              "sh", "sed", "nq", "fo",  "ovf",  "mh",    "twos"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace lvspec::director
