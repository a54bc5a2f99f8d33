#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include <fstream>
#include <map>
#include <sstream>

#include "harness/adapters/products/products.h"

namespace lvspec {
namespace {

/// No process but a ruleset: a chain at the ingress of the director's port that picks a real server by jhash of the
/// client's address, sets its MAC and sends the frame back out. Direct routing without a memory: what leads a client
/// to its server is the number of servers. Not persistent, the client's port goes into the hash too.
class Nftables : public Product {
 public:
  Nftables(const DirectorSite& site, NetworkNamespace netns, WireFence fence, DirectorIdentity identity,
           const ProductOptions& options)
      : Product(site, std::move(netns), std::move(fence), std::move(identity),
                {.protocols = {Protocol::kTcp, Protocol::kUdp},
                 .schedulers = {"rr"},
                 .ipv6 = false,
                 .any_port = true,
                 .masks = true,
                 .methods = {ForwardMethod::kDirectRoute}},
                options) {}

 protected:
  Status bring(const Ruleset& wanted) override {
    LVSPEC_ASSIGN(const std::string own_mac, mac_of_wire());
    std::string rules;
    for (const VirtualService& service : wanted.services) {
      LVSPEC_ASSIGN(const std::string rule, rule_of(service, own_mac));
      // What has a port of its own comes before what takes every port.
      rules = service.id.port == kAnyPort ? rules + rule : rule + rules;
    }
    configuration_ = fmt::format(
        "table netdev lvspec\ndelete table netdev lvspec\n"  // made first, so that there is one to delete
        "table netdev lvspec {{\n  chain ingress {{\n    type filter hook ingress device \"eth0\" priority 0;\n{}"
        "  }}\n}}\n",
        rules);
    LVSPEC_ASSIGN(ConfigurationFile file, ConfigurationFile::create());
    LVSPEC_TRY(file.write(configuration_));
    LVSPEC_ASSIGN(Child nft, start({"nft", "-f", kConfigurationPath}, {{file.fd(), kConfigurationFd}}));
    if (nft.wait(std::chrono::seconds(10)) && nft.status_text() == "exited with 0") return {};
    const std::string words = nft.output();
    past_logs_.push_back(words);
    // So says a kernel that was built without the family.
    if (words.find("Operation not supported") != std::string::npos ||
        words.find("No such file") != std::string::npos ||
        words.find("cache initialization failed") != std::string::npos)
      return environment_error("needs a kernel with nf_tables and its netdev family: " +
                               words.substr(0, words.find('\n')));
    return failed("nft took no ruleset", &nft);
  }

 private:
  Result<std::string> rule_of(const VirtualService& service, const std::string& own_mac) {
    const std::string protocol = service.id.protocol == Protocol::kUdp ? "udp" : "tcp";
    std::vector<std::string> places;
    for (const RealServer& server : service.servers) {
      if (!takes_clients(server)) continue;
      LVSPEC_ASSIGN(const std::string mac, mac_of(server.address));
      places.push_back(fmt::format("{} : {}", places.size(), mac));
    }
    if (places.empty()) return std::string();
    std::string key = "ip saddr";
    if (service.netmask != IpAddress::v4(0xffffffff)) key += " & " + service.netmask.str();
    if (!service.persistent_s) key += fmt::format(" . {} sport", protocol);
    const std::string port = service.id.port == kAnyPort ? fmt::format("meta l4proto {}", protocol)
                                                         : fmt::format("{} dport {}", protocol, service.id.port);
    // A seed for each service, so that none decides for another.
    const std::uint32_t seed = service.id.port + (service.id.protocol == Protocol::kUdp ? 65536U : 0U) + 1U;
    return fmt::format(
        "    ip daddr {} {} ether saddr set {} ether daddr set jhash {} mod {} seed {:#x} map {{ {} }} fwd to "
        "\"eth0\"\n",
        service.id.address.str(), port, own_mac, key, places.size(), seed, fmt::join(places, ", "));
  }

  Result<std::string> mac_of_wire() const {
    std::string mac;
    return netns_.call([&]() -> Result<std::string> {
      // sysfs shows the namespace it was mounted in; an ioctl asks the one we are in.
      const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      ifreq request{};
      std::memcpy(request.ifr_name, "eth0", 5);
      if (!socket.valid() || ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0)
        return system_error("ioctl(SIOCGIFHWADDR, eth0)");
      std::array<std::uint8_t, 6> bytes{};
      std::memcpy(bytes.data(), request.ifr_hwaddr.sa_data, 6);
      return fmt::format("{:02x}", fmt::join(bytes, ":"));
    });
  }

  /// The MAC of a neighbour: a datagram to it makes the kernel ask.
  Result<std::string> mac_of(const IpAddress& address) {
    if (const auto known = macs_.find(address); known != macs_.end()) return known->second;
    std::string mac;
    LVSPEC_TRY(await(fmt::format("{} answers ARP", address.str()), nullptr, [&]() -> Result<bool> {
      return netns_.call([&]() -> Result<bool> {
        std::ifstream file("/proc/thread-self/net/arp");
        std::string line;
        while (std::getline(file, line)) {
          std::istringstream words(line);
          std::string ip, type, flags;
          words >> ip >> type >> flags >> mac;
          if (ip == address.str() && mac != "00:00:00:00:00:00") return true;
        }
        const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_storage to{};
        const socklen_t length = Endpoint{address, 9}.to_sockaddr(&to);
        (void)sendto(socket.get(), "?", 1, 0, reinterpret_cast<const sockaddr*>(&to), length);
        return false;
      });
    }));
    macs_[address] = mac;
    return mac;
  }

  std::map<IpAddress, std::string> macs_;
};

}  // namespace

Result<std::unique_ptr<DirectorUnderTest>> start_nftables(const DirectorSite& site, NetworkNamespace netns,
                                                          WireFence fence, DirectorIdentity identity,
                                                          const ProductOptions& options) {
  return std::unique_ptr<DirectorUnderTest>(
      new Nftables(site, std::move(netns), std::move(fence), std::move(identity), options));
}

}  // namespace lvspec
