#include <numeric>

#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

std::int64_t turns_of(const RealServer& server) {
  if (fault(Fault::kWrrIgnoresWeights)) return weight_of(server) > 0 ? 1 : 0;
  return weight_of(server);
}

/// Weighted round robin by a falling bar: a pass over the list serves everybody whose weight reaches the bar, each
/// pass lowers the bar by the greatest common divisor of the weights, below zero it starts again at the top
/// (SCH-20..25). Source: Linux net/netfilter/ipvs/ip_vs_wrr.c.
class WeightedRoundRobin : public Scheduler {
 public:
  explicit WeightedRoundRobin(const VirtualService& service) {
    measure(service);
    bar_ = top_;
  }

  std::string_view name() const override { return "wrr"; }

  // SCH-22. A search that began in the middle of the list may have to go round twice: it ends where it began, on
  // the lowest pass, once the bar has been put back to the top.
  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    if (top_ == 0) return nullptr;
    const auto& servers = service.servers;
    const std::size_t start = next_;
    bool lowest_pass = false, restarted = false;
    for (std::size_t from = start;; from = kHead) {
      for (std::size_t at = from; at < servers.size(); ++at) {
        const bool back_at_start = lowest_pass && restarted && start != kHead && at + 1 == start;
        const bool chosen = !is_overloaded(*servers[at]) && turns_of(*servers[at]) >= bar_;
        if (chosen || back_at_start) {
          next_ = at + 1;
          return chosen ? servers[at] : nullptr;
        }
      }
      bar_ -= step_;
      if (bar_ <= 0) {
        bar_ = top_;
        if (lowest_pass || start == kHead) {
          next_ = kHead;
          return nullptr;
        }
        restarted = true;
      }
      lowest_pass = bar_ <= step_;
    }
  }

  void server_added(const VirtualService& service, std::size_t) override { changed(service); }
  void server_edited(const VirtualService& service) override {
    fault(Fault::kWrrEditUnnoticed) ? measure(service) : changed(service);
  }
  void server_removed(const VirtualService& service, std::size_t) override { changed(service); }

 private:
  static constexpr std::size_t kHead = 0;

  void measure(const VirtualService& service) {
    step_ = 0;
    std::int64_t heaviest = 0;
    for (const RealServer* server : service.servers) {
      step_ = std::gcd(step_, turns_of(*server));
      heaviest = std::max(heaviest, turns_of(*server));
    }
    if (step_ == 0) step_ = 1;
    top_ = heaviest - (step_ - 1);
  }

  // SCH-21: even an edit that changes nothing restarts the list, but the bar stays where it was if it can. This is
  // why servers added one by one are first served once each instead of heaviest first (SCH-23).
  void changed(const VirtualService& service) {
    next_ = kHead;
    measure(service);
    if (bar_ > top_ || bar_ == 0) {
      bar_ = top_;
    } else if (step_ > 1) {
      bar_ = bar_ / step_ * step_ + 1;
    }
  }

  std::size_t next_ = kHead;  // one past the last server chosen
  std::int64_t bar_ = 0;      // the kernel's "current weight"
  std::int64_t top_ = 0;      // "maximum weight"
  std::int64_t step_ = 1;     // "decrement"
};

}  // namespace

std::unique_ptr<Scheduler> make_wrr(const VirtualService& service) {
  return std::make_unique<WeightedRoundRobin>(service);
}

}  // namespace lvspec::director
