#include "harness/lab/wire.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "harness/adapters/wire_fence.h"
#include "harness/lab/bench.h"

namespace lvspec {
namespace {

class Appliance : public DirectorUnderTest {
 public:
  Appliance(WirePlan plan, std::shared_ptr<WireClients> clients)
      : plan_(std::move(plan)), identity_(appliance_identity(plan_)), clients_(std::move(clients)) {}

  const DirectorIdentity& identity() const override { return identity_; }

  Status add_service(const VirtualService& service) override {
    const bool offered = std::find(plan_.services.begin(), plan_.services.end(), service.id) != plan_.services.end();
    const bool as_it_is = offered && service.persistent_s == static_cast<std::uint32_t>(plan_.window.count()) &&
                          service.netmask == VirtualService().netmask && !service.one_packet &&
                          service.servers.size() == plan_.wire.servers.size();
    if (as_it_is) return clients_->use();
    std::vector<std::string> offers;
    for (const ServiceId& id : plan_.services) offers.push_back(id.str());
    return unsupported(fmt::format("{} is set up by its owner, with {} for {} s before {} servers; this is {}",
                                   plan_.appliance, fmt::join(offers, ", "), plan_.window.count(),
                                   plan_.wire.servers.size(), service.title()));
  }
  Status edit_service(const VirtualService&) override { return not_ours(); }
  Status remove_service(const ServiceId&) override { return not_ours(); }
  Status add_server(const ServiceId&, const RealServer&) override { return not_ours(); }
  Status edit_server(const ServiceId&, const RealServer&) override { return not_ours(); }
  Status remove_server(const ServiceId&, const Endpoint&) override { return not_ours(); }
  Status clear() override { return not_ours(); }
  Status set_marks(const std::vector<MarkRule>& rules) override { return rules.empty() ? Status() : not_ours(); }
  Status set_sysctl(const std::string&, int) override { return not_ours(); }
  Status set_timeouts(std::uint32_t, std::uint32_t, std::uint32_t) override { return not_ours(); }
  Status zero() override { return not_ours(); }
  Status start_daemon(const SyncDaemon&) override { return not_ours(); }
  Status stop_daemon(SyncRole) override { return not_ours(); }
  Result<Tables> tables() override {
    return unsupported(plan_.appliance + " is judged from outside: its tables are its own");
  }

  Status await_fence(std::uint64_t) override { return {}; }  // nothing is sent to it that it could tell us of
  Status advance(std::chrono::nanoseconds step) override { return sleep_for(step); }
  /// Whole seconds, as most count.
  std::chrono::nanoseconds granule(std::chrono::nanoseconds) const override { return std::chrono::seconds(1); }
  std::string log() const override { return ""; }

 private:
  Status not_ours() const {
    return unsupported(plan_.appliance + " is set up by its owner, and is not changed by us");
  }

  WirePlan plan_;
  DirectorIdentity identity_;
  std::shared_ptr<WireClients> clients_;
};

/// Clients beside those of a case, who find out whether all servers are there.
constexpr int kScouts = 16;

/// Strangers come, one after the other, each until it is answered, until every server has answered one. Error
/// (kEnvironment): who has.
Status await_servers(const WirePlan& plan, Bench& bench, const VirtualService& service, int first_scout) {
  const auto deadline = std::chrono::steady_clock::now() + plan.settle;
  std::set<std::string> seen;
  int scout = 0;
  bench.note("waiting for the appliance to find its servers");
  while (seen.size() < plan.wire.servers.size()) {
    BenchClient client = bench.client(first_scout + scout % kScouts);
    const Answer answer = service.id.protocol == Protocol::kUdp ? client.udp(service.id.address, service.id.port)
                                                                : client.connect(service.id.address, service.id.port);
    if (answer.outcome == Outcome::kAnswered) {
      seen.insert(answer.server);
      ++scout;
    }
    if (std::chrono::steady_clock::now() > deadline)
      return environment_error(
          fmt::format("--settle {}: by then {} had answered {} clients at {}, and not all of {} servers; is each of "
                      "--servers in it, and healthy?",
                      plan.settle.count(), seen.empty() ? "nobody" : fmt::format("{}", fmt::join(seen, ", ")), scout,
                      service.id.str(), plan.wire.servers.size()));
    if (answer.outcome != Outcome::kAnswered) LVSPEC_TRY(sleep_for(std::chrono::milliseconds(50)));
  }
  return {};
}

}  // namespace

Result<std::uint64_t> WireClients::offer(const Prefix& clients, int count) {
  std::uint64_t next = 1;  // .0 is the network
  if (pread(fd_, &next, sizeof next, 0) != sizeof next) return system_error("pread(clients used so far)");
  const std::uint64_t broadcast = (std::uint64_t{1} << (32 - clients.length)) - 1;
  if (next + static_cast<std::uint64_t>(count) > broadcast)
    return environment_error(fmt::format(
        "--clients {}: {} addresses are used already and this case needs {} new ones; give a wider prefix",
        clients.str(), next - 1, count));
  offered_end_ = next + static_cast<std::uint64_t>(count);
  return next;
}

Status WireClients::use() {
  if (pwrite(fd_, &offered_end_, sizeof offered_end_, 0) != sizeof offered_end_)
    return system_error("pwrite(clients used so far)");
  return {};
}

Lab wire_lab(const WirePlan& plan, std::shared_ptr<WireClients> clients) {
  Lab lab{"wire", "the wall clock: nothing of it is skipped",
          [](DirectorUnderTest& director, std::chrono::nanoseconds time) { return director.advance(time); },
          [] {
            timespec now{};
            clock_gettime(CLOCK_MONOTONIC, &now);
            return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
          }};
  lab.terms.window = plan.window;
  lab.terms.margin = std::clamp(plan.window / 5, std::chrono::seconds(1), lab.terms.margin);
  // Of those that the owner has, the first TCP service is the one, the second the other.
  std::vector<std::uint16_t> ports;
  for (const ServiceId& service : plan.services) {
    lab.terms.vip = service.address;
    if (service.protocol == Protocol::kTcp) ports.push_back(service.port);
  }
  if (!ports.empty()) lab.terms.port = ports[0];
  if (ports.size() > 1) lab.terms.other_port = ports[1];
  const auto first_scout = std::make_shared<int>(0);
  if (plan.settle.count() > 0)
    lab.await_service = [plan, first_scout](Bench& bench, const VirtualService& service) {
      return await_servers(plan, bench, service, *first_scout);
    };
  lab.place = [plan, first_scout, clients = std::move(clients)](Topology* topology) -> Status {
    if (topology->standby_place || topology->reach == Reach::kTunnelled)
      return unsupported(plan.appliance + " is set up by its owner: one of it, and no tunnels");
    topology->wire = plan.wire;
    *first_scout = topology->client_count + 1;
    if (plan.settle.count() > 0) topology->client_count += kScouts;
    LVSPEC_ASSIGN(topology->wire->first_client, clients->offer(plan.wire.clients, topology->client_count));
    topology->server_count = static_cast<int>(plan.wire.servers.size());
    topology->vips = {plan.services.front().address};
    topology->client_prefixes = {plan.wire.clients};
    topology->mute_prefixes.clear();
    topology->reach = plan.direct_routing ? Reach::kDirectly : Reach::kMasqueraded;
    topology->ipv6 = false;
    return {};
  };
  return lab;
}

DirectorIdentity appliance_identity(const WirePlan& plan) {
  DirectorIdentity identity{plan.appliance, "set up by its owner", {"ipv4", "affinity"}, plan.affinity};
  for (const ServiceId& service : plan.services) {
    const char* word = service.protocol == Protocol::kUdp ? "udp" : "tcp";
    auto& words = identity.capabilities;
    if (std::find(words.begin(), words.end(), word) == words.end()) words.emplace_back(word);
  }
  return identity;
}

DirectorFactory appliance_on(const WirePlan& plan, std::shared_ptr<WireClients> clients) {
  return {plan.appliance, DirectorPlace::kStack,
          [plan, clients = std::move(clients)](const DirectorSite&) -> Result<std::unique_ptr<DirectorUnderTest>> {
            return std::unique_ptr<DirectorUnderTest>(std::make_unique<Appliance>(plan, clients));
          }};
}

}  // namespace lvspec
