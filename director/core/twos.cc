#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// The power of two choices: two servers drawn at random by their weights, and of these the one with the smaller
/// overhead per weight (SCH-80). Its numbers come from a generator of its own, SplitMix64, so one seed gives one
/// sequence. Source: Linux net/netfilter/ipvs/ip_vs_twos.c, ip_vs_twos_schedule().
class TwoChoices : public Scheduler {
 public:
  explicit TwoChoices(std::uint64_t seed) : state_(seed) {}

  std::string_view name() const override { return "twos"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    std::int64_t total = 0;
    for (const RealServer* server : service.servers) total += is_usable(*server) ? weight_of(*server) : 0;
    if (total == 0) return nullptr;
    RealServer* const first = at(service, draw(total + 1));
    RealServer* const second = at(service, draw(total + 1));
    const bool second_is_lighter =
        overhead_of(*first) * weight_of(*second) > overhead_of(*second) * weight_of(*first);
    return second_is_lighter ? second : first;
  }

 private:
  // The server in whose stretch of the line of weights the point lies; 0 and 1 are both the first server's, as the
  // kernel draws from 0 to the total, both included.
  static RealServer* at(const VirtualService& service, std::int64_t point) {
    for (RealServer* server : service.servers) {
      if (!is_usable(*server)) continue;
      point -= weight_of(*server);
      if (point <= 0) return server;
    }
    return nullptr;  // not reached: the point is at most the sum of the weights
  }

  /// Uniform in [0, below).
  std::int64_t draw(std::int64_t below) {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
    return static_cast<std::int64_t>(mixed % static_cast<std::uint64_t>(below));
  }

  std::uint64_t state_;
};

}  // namespace

std::unique_ptr<Scheduler> make_twos(std::uint64_t seed) { return std::make_unique<TwoChoices>(seed); }

}  // namespace lvspec::director
