#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <map>
#include <optional>

#include "harness/adapters/products/products.h"

namespace lvspec {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTaught{5500};

std::string balance_of(const std::string& scheduler) {
  if (scheduler == "lc" || scheduler == "wlc") return "leastconn";
  if (scheduler == "fo") return "first";
  return scheduler == "sh" ? "source" : "roundrobin";
}

/// `rr` and `lc` do not look at weights, except that nothing new comes to weight 0.
std::int32_t weight_in(const VirtualService& service, const RealServer& server) {
  const bool weighed = service.scheduler == "wrr" || service.scheduler == "wlc";
  const std::int32_t weight = weighed ? server.weight : std::min(server.weight, 1);
  return std::min(weight, 256);  // HAProxy's greatest
}

std::string name_of(const ServiceId& id) { return fmt::format("tcp-{}:{}", id.address.str(), id.port); }

/// Length of a contiguous mask; none for any other.
std::optional<int> length_of(const IpAddress& netmask) {
  for (int length = 0; length <= 32; ++length)
    if (netmask == IpAddress::v4(length == 0 ? 0 : 0xffffffffU << (32 - length))) return length;
  return std::nullopt;
}

/// A process for each configuration: the new one listens beside the old one, tells it to finish (-sf), and takes over
/// its stick tables by way of a peers section; the old one goes on with its open connections until they end. That is
/// HAProxy's own way to reload.
class Haproxy : public Product {
 public:
  Haproxy(const DirectorSite& site, NetworkNamespace netns, WireFence fence, DirectorIdentity identity,
          const ProductOptions& options)
      : Product(site, std::move(netns), std::move(fence), std::move(identity),
                {.protocols = {Protocol::kTcp},
                 .schedulers = {"rr", "wrr", "lc", "wlc", "sh", "fo"},
                 .masks = true,
                 .server_ports = true},
                options) {}
  ~Haproxy() override {
    for (Process& process : processes_) process.child.stop();
  }

 protected:
  Status bring(const Ruleset& wanted) override {
    for (const VirtualService& service : wanted.services)
      if (service.id.family == AF_INET && !length_of(service.netmask))
        return not_claimed("a netmask that is not contiguous");
    const int generation = generation_ + 1;
    LVSPEC_ASSIGN(ConfigurationFile file, ConfigurationFile::create());
    configuration_ = text_of(wanted, generation);
    LVSPEC_TRY(file.write(configuration_));
    std::map<std::string, std::size_t> known;
    std::vector<std::string> argv = {"haproxy", "-db", "-L", "lvspec", "-f", kConfigurationPath};
    const int old = generation_;
    const bool had_one = !processes_.empty();
    if (had_one) {
      known = entries_of(old);
      // A process that is still waiting to be taught itself teaches nobody: a reload within 5 s of a start forgets
      // every client (PEER_RESYNC_TIMEOUT). Whoever wants to keep them waits, and so do we.
      const bool remembers =
          std::any_of(known.begin(), known.end(), [](const auto& table) { return table.second > 0; });
      const auto ready = processes_.back().since + kTaught;
      if (remembers && ready > steady_clock::now()) LVSPEC_TRY(sleep_for(ready - steady_clock::now()));
      argv.insert(argv.end(), {"-sf", std::to_string(processes_.back().child.pid())});
    }
    LVSPEC_ASSIGN(Child child, start(argv, {{file.fd(), kConfigurationFd}}));
    // Its socket takes connections before its services are bound, and a process that then gives up closes them
    // without a word: only an answer is a sign that it works.
    LVSPEC_TRY(await("haproxy answers on its socket", &child, [&]() -> Result<bool> {
      return ask("@" + socket_of(generation), "show info\n").value_or("").starts_with("Name: ");
    }));
    generation_ = generation;
    processes_.push_back({std::move(child), std::move(file), steady_clock::now()});
    if (had_one) {
      LVSPEC_TRY(await("the old haproxy lets go", &processes_.back().child,
                       [&]() -> Result<bool> { return !ask("@" + socket_of(old), "show info\n"); }));
      await_tables(known);
    }
    // While there is nobody to forget the waiting is done at once, so that it does not fall between a case's steps.
    const bool nobody = std::all_of(known.begin(), known.end(), [](const auto& table) { return table.second == 0; });
    if (nobody && !real_time()) LVSPEC_TRY(sleep_for(kTaught));
    processes_.remove_if([&](Process& process) {
      if (process.child.running()) return false;
      past_logs_.push_back(process.child.output());
      return true;
    });
    return {};
  }

  std::string live_log() const override {
    std::string text;
    for (const Process& process : processes_) text += process.child.output();
    return text;
  }

 private:
  struct Process {
    Child child;
    ConfigurationFile file;
    steady_clock::time_point since;
  };

  static std::string socket_of(int generation) { return fmt::format("lvspec-haproxy-{}", generation); }

  static std::string text_of(const Ruleset& wanted, int generation) {
    // maxconn: HAProxy refuses to start where twice as many descriptors are more than the limit, which may be 1024.
    std::string text = fmt::format(
        "global\n  maxconn 400\n  nbthread 1\n  stats socket abns@{}\n"
        "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 900s\n  timeout server 900s\n"
        "peers lvspec\n  peer lvspec 127.0.0.1:10023\n",
        socket_of(generation));
    for (const VirtualService& service : wanted.services) {
      text += fmt::format("listen {}\n  bind {}\n  balance {}\n", name_of(service.id),
                          Endpoint{service.id.address, service.id.port}.str(), balance_of(service.scheduler));
      if (service.persistent_s) {
        const bool v6 = service.id.family == AF_INET6;
        const int length = v6 ? service.prefix_length : *length_of(service.netmask);
        const std::string mask = length == (v6 ? 128 : 32) ? ""
                                 : v6                      ? fmt::format(",ipmask(32,{})", length)
                                                           : fmt::format(",ipmask({})", length);
        text += fmt::format("  stick-table type {} size 100k expire {}s peers lvspec\n  stick on src{}\n",
                            v6 ? "ipv6" : "ip", *service.persistent_s, mask);
      }
      std::vector<RealServer> servers = service.servers;
      // `first` takes the first in the list, fo the heaviest.
      if (service.scheduler == "fo")
        std::stable_sort(servers.begin(), servers.end(),
                         [](const auto& x, const auto& y) { return x.weight > y.weight; });
      for (const RealServer& server : servers)
        text += fmt::format("  server {}-{} {} weight {}\n", server.address.str(), server.port,
                            server.endpoint().str(), weight_in(service, server));
    }
    return text;
  }

  /// Entries of each stick table, by `show table`: "# table: tcp-198.51.100.10:80, type: ip, size:102400, used:3".
  std::map<std::string, std::size_t> entries_of(int generation) const {
    std::map<std::string, std::size_t> used;
    const std::string said = ask("@" + socket_of(generation), "show table\n").value_or("");
    for (std::size_t at = 0; (at = said.find("# table: ", at)) != std::string::npos;) {
      at += 9;
      const std::string name = said.substr(at, said.find(',', at) - at);
      const std::size_t count = said.find("used:", at);
      if (count != std::string::npos) used[name] = std::stoul(said.substr(count + 5));
    }
    return used;
  }

  /// Until the new process has learned what the old one knew, or a second has passed: that it may not is for a case
  /// to find, and its log says so.
  void await_tables(const std::map<std::string, std::size_t>& known) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(1);
    for (;;) {
      const auto now = entries_of(generation_);
      const bool all = std::all_of(known.begin(), known.end(), [&](const auto& table) {
        const auto found = now.find(table.first);
        return found == now.end() || found->second >= table.second;
      });
      if (all) return;
      if (steady_clock::now() >= deadline) {
        past_logs_.push_back(fmt::format("lvspec: 1 s after its start haproxy {} knows fewer clients than {} did\n",
                                         generation_, generation_ - 1));
        return;
      }
      (void)sleep_for(std::chrono::milliseconds(5));
    }
  }

  int generation_ = 0;
  std::list<Process> processes_;
};

}  // namespace

Result<std::unique_ptr<DirectorUnderTest>> start_haproxy(const DirectorSite& site, NetworkNamespace netns,
                                                         WireFence fence, DirectorIdentity identity,
                                                         const ProductOptions& options) {
  return std::unique_ptr<DirectorUnderTest>(
      new Haproxy(site, std::move(netns), std::move(fence), std::move(identity), options));
}

}  // namespace lvspec
