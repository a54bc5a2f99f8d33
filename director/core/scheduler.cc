#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// `-s none`: the kernel's service without a scheduler.
class NoScheduler : public Scheduler {
 public:
  std::string_view name() const override { return "none"; }
  RealServer* pick(const VirtualService&, const Packet&, DirectorTime) override { return nullptr; }
};

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const VirtualService& service,
                                          const SchedulerContext& context) {
  if (name == "rr") return make_rr();
  if (name == "wrr") return make_wrr(service);
  if (name == "lc") return make_lc();
  if (name == "wlc") return make_wlc();
  if (name == "sed") return make_sed();
  if (name == "nq") return make_nq();
  if (name == "fo") return make_fo();
  if (name == "ovf") return make_ovf();
  if (name == "dh") return make_dh(service);
  if (name == "sh") return make_sh(service);
  if (name == "mh") return make_mh(service);
  if (name == "lblc") return make_lblc(context);
  if (name == "lblcr") return make_lblcr(context);
  if (name == "twos") return make_twos(context.seed);
  if (name == "none") return std::make_unique<NoScheduler>();
  return nullptr;
}

}  // namespace lvspec::director
