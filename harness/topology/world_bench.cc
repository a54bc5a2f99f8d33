#include "harness/topology/world_bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>
#include <ostream>
#include <thread>
#include <utility>

#include "harness/base/check.h"
#include "harness/base/file_descriptor.h"
#include "harness/topology/world.h"

extern char** environ;

namespace lvspec {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// What this thread has used so far, in the kernel and outside: unlike the time of day, much the same on a busy
/// machine.
double cpu_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// The kernel takes some 65 ms to clean up after a world, and more after a larger one; what is timed next would pay.
void let_the_kernel_clean_up(int servers) {
  std::this_thread::sleep_for(std::chrono::milliseconds(150 + 3 * servers));
}

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// -------------------------------------------------------------------------------------------------------------------
// The bare program: what one would write for this one world, and no more. It has nothing of harness/netlink, on
// purpose: it is what that room is measured against.

class BareWorld {
 public:
  explicit BareWorld(int servers) : home_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    nodes_.reserve(static_cast<std::size_t>(servers) + 3);
    add_namespace(0);  // the segment
    add_namespace(254);
    add_namespace(1);
    for (int i = 1; i <= servers; ++i) add_namespace(10 + i);
    segment();
    client();
    end_node(2, nullptr, 2);
    for (std::size_t i = 3; i < nodes_.size(); ++i) end_node(i, "1", 1);
    for (BareNode& node : nodes_) node.socket.reset();
  }

  bool good() const { return good_; }

 private:
  struct BareNode {
    FileDescriptor netns;
    FileDescriptor socket;
    int byte = 0;
  };

  void add_namespace(int byte) {
    BareNode node;
    good_ &= ::unshare(CLONE_NEWNET) == 0;
    node.netns.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    node.socket.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    node.byte = byte;
    write_sysctl("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
    if (byte == 254) write_sysctl("/proc/sys/net/ipv6/ip_nonlocal_bind", "1");
    good_ &= ::setns(home_.get(), CLONE_NEWNET) == 0;
    nodes_.push_back(std::move(node));
  }

  static void write_sysctl(const char* path, const char* value) {
    const FileDescriptor file(::open(path, O_WRONLY | O_CLOEXEC));
    if (file.valid() && ::write(file.get(), value, 1) != 1) return;
  }

  template <typename Header>
  Header* begin(int type, int flags) {
    message_ = reinterpret_cast<nlmsghdr*>(buffer_.data() + used_);
    std::memset(message_, 0, NLMSG_SPACE(sizeof(Header)));
    message_->nlmsg_len = NLMSG_LENGTH(sizeof(Header));
    message_->nlmsg_type = static_cast<std::uint16_t>(type);
    message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    return static_cast<Header*>(NLMSG_DATA(message_));
  }
  void end() { used_ += NLMSG_ALIGN(message_->nlmsg_len); }

  rtattr* put(int type, const void* data, std::size_t size) {
    auto* attribute = reinterpret_cast<rtattr*>(reinterpret_cast<char*>(message_) + NLMSG_ALIGN(message_->nlmsg_len));
    attribute->rta_type = static_cast<unsigned short>(type);
    attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    if (size > 0) std::memcpy(RTA_DATA(attribute), data, size);
    message_->nlmsg_len = NLMSG_ALIGN(message_->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    return attribute;
  }
  void put32(int type, std::uint32_t value) { put(type, &value, sizeof value); }
  rtattr* nest(int type) { return put(type, nullptr, 0); }
  void close_nest(rtattr* nest) {
    nest->rta_len = static_cast<unsigned short>(reinterpret_cast<char*>(message_) + message_->nlmsg_len -
                                                reinterpret_cast<char*>(nest));
  }
  void put_mac(int lan, int byte) {
    const std::array<std::uint8_t, 6> mac = {
        2, 0, 0xcb, 0, static_cast<std::uint8_t>(lan), static_cast<std::uint8_t>(byte)};
    put(IFLA_ADDRESS, mac.data(), mac.size());
  }
  int put_ip(int type, const char* text) {
    std::array<std::uint8_t, 16> bytes;
    const int family = std::strchr(text, ':') != nullptr ? AF_INET6 : AF_INET;
    good_ &= inet_pton(family, text, bytes.data()) == 1;
    put(type, bytes.data(), family == AF_INET6 ? 16 : 4);
    return family;
  }

  void quiet_ipv6(int ifindex) {
    begin<ifinfomsg>(RTM_SETLINK, 0)->ifi_index = ifindex;
    rtattr* spec = nest(IFLA_AF_SPEC);
    rtattr* inet6 = nest(AF_INET6);
    const std::uint8_t none = IN6_ADDR_GEN_MODE_NONE;
    put(IFLA_INET6_ADDR_GEN_MODE, &none, 1);
    close_nest(inet6);
    close_nest(spec);
    end();
  }
  void eth0_settings(std::uint32_t arp_ignore, std::uint32_t arp_announce) {
    begin<ifinfomsg>(RTM_SETLINK, 0)->ifi_index = 2;
    rtattr* spec = nest(IFLA_AF_SPEC);
    rtattr* inet = nest(AF_INET);
    rtattr* conf = nest(IFLA_INET_CONF);
    put32(IPV4_DEVCONF_ACCEPT_LOCAL, 0);
    put32(IPV4_DEVCONF_ARP_ANNOUNCE, arp_announce);
    put32(IPV4_DEVCONF_ARP_IGNORE, arp_ignore);
    put32(IPV4_DEVCONF_FORWARDING, 0);
    put32(IPV4_DEVCONF_RP_FILTER, 0);
    close_nest(conf);
    close_nest(inet);
    rtattr* inet6 = nest(AF_INET6);
    const std::uint8_t none = IN6_ADDR_GEN_MODE_NONE;
    put(IFLA_INET6_ADDR_GEN_MODE, &none, 1);
    close_nest(inet6);
    close_nest(spec);
    end();
  }
  void up(int ifindex) {
    auto* link = begin<ifinfomsg>(RTM_SETLINK, 0);
    link->ifi_index = ifindex;
    link->ifi_flags = link->ifi_change = IFF_UP;
    end();
  }
  void address(int ifindex, const char* text, int length, std::uint32_t flags = 0) {
    auto* header = begin<ifaddrmsg>(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    header->ifa_index = static_cast<std::uint32_t>(ifindex);
    header->ifa_prefixlen = static_cast<std::uint8_t>(length);
    header->ifa_family = static_cast<std::uint8_t>(put_ip(IFA_LOCAL, text));
    put_ip(IFA_ADDRESS, text);
    put32(IFA_FLAGS, flags | (header->ifa_family == AF_INET6 ? IFA_F_NODAD : 0U));
    end();
  }
  void route(const char* text, int length, int type, int ifindex, const char* via, const char* source) {
    auto* header = begin<rtmsg>(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    header->rtm_dst_len = static_cast<std::uint8_t>(length);
    header->rtm_type = static_cast<std::uint8_t>(type);
    header->rtm_protocol = RTPROT_STATIC;
    header->rtm_table = type == RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
    header->rtm_scope = type == RTN_LOCAL
                            ? RT_SCOPE_HOST
                            : (type == RTN_UNICAST && via == nullptr ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
    header->rtm_family = static_cast<std::uint8_t>(put_ip(RTA_DST, text));
    if (ifindex != 0) put32(RTA_OIF, static_cast<std::uint32_t>(ifindex));
    if (via != nullptr) put_ip(RTA_GATEWAY, via);
    if (source != nullptr) put_ip(RTA_PREFSRC, source);
    end();
  }

  /// Sends what is in the buffer to one namespace and waits for the acknowledgement of the last message.
  void send(const BareNode& node) {
    message_->nlmsg_flags |= NLM_F_ACK;
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    good_ &= ::sendto(node.socket.get(), buffer_.data(), used_, 0, reinterpret_cast<const sockaddr*>(&kernel),
                      sizeof kernel) == static_cast<ssize_t>(used_);
    used_ = 0;
    if (!good_) return;
    std::array<char, 4096> answer;
    good_ &= ::recv(node.socket.get(), answer.data(), answer.size(), 0) > 0;
    // The first answer is a refusal or the acknowledgement at the end.
    good_ &= static_cast<nlmsgerr*>(NLMSG_DATA(answer.data()))->error == 0;
  }

  void segment() {
    begin<ifinfomsg>(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)->ifi_index = 2;
    put(IFLA_IFNAME, "switch", sizeof "switch");
    put_mac(0x72, 0);
    rtattr* info = nest(IFLA_LINKINFO);
    put(IFLA_INFO_KIND, "bridge", sizeof "bridge");
    rtattr* data = nest(IFLA_INFO_DATA);
    put32(IFLA_BR_STP_STATE, 0);
    const std::uint8_t off = 0;
    put(IFLA_BR_MCAST_SNOOPING, &off, 1);
    close_nest(data);
    close_nest(info);
    end();
    quiet_ipv6(2);
    up(2);
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      const int port = 100 + nodes_[i].byte;
      begin<ifinfomsg>(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)->ifi_index = port;
      const std::string name = fmt::format("p{}", port);
      put(IFLA_IFNAME, name.c_str(), name.size() + 1);
      put_mac(0x72, nodes_[i].byte);
      put32(IFLA_NUM_TX_QUEUES, 1);
      put32(IFLA_NUM_RX_QUEUES, 1);
      put32(IFLA_MASTER, 2);
      info = nest(IFLA_LINKINFO);
      put(IFLA_INFO_KIND, "veth", sizeof "veth");
      data = nest(IFLA_INFO_DATA);
      ifinfomsg peer_link{};
      peer_link.ifi_index = 2;
      rtattr* peer = put(VETH_INFO_PEER, &peer_link, sizeof peer_link);
      put(IFLA_IFNAME, "eth0", sizeof "eth0");
      put_mac(0x71, nodes_[i].byte);
      put32(IFLA_NUM_TX_QUEUES, 1);
      put32(IFLA_NUM_RX_QUEUES, 1);
      put32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(nodes_[i].netns.get()));
      close_nest(peer);
      close_nest(data);
      close_nest(info);
      end();
      quiet_ipv6(port);
      up(port);
    }
    send(nodes_[0]);
  }

  void client() {
    up(1);
    eth0_settings(0, 2);
    up(2);
    route("192.0.2.0", 24, RTN_LOCAL, 1, nullptr, nullptr);
    route("192.0.2.240", 28, RTN_BLACKHOLE, 0, nullptr, nullptr);
    address(2, "203.0.113.254", 24, IFA_F_NOPREFIXROUTE);
    route("203.0.113.0", 24, RTN_UNICAST, 2, nullptr, "192.0.2.1");
    route("198.51.100.0", 24, RTN_UNICAST, 2, nullptr, "192.0.2.1");
    route("2001:db8:2::", 64, RTN_LOCAL, 1, nullptr, nullptr);
    address(1, "2001:db8:2::1", 128);
    address(2, "2001:db8:113::fe", 64, IFA_F_NOPREFIXROUTE);
    address(2, "fe80::fe", 64);
    route("2001:db8:113::", 64, RTN_UNICAST, 2, nullptr, "2001:db8:2::1");
    route("2001:db8:51::", 64, RTN_UNICAST, 2, nullptr, "2001:db8:2::1");
    send(nodes_[1]);
  }

  void end_node(std::size_t index, const char* real, int vip_ifindex) {
    const int byte = nodes_[index].byte;
    up(1);
    eth0_settings(real != nullptr ? 1 : 0, real != nullptr ? 2 : 0);
    up(2);
    const std::string own = fmt::format("203.0.113.{}", byte);
    const std::string own6 = fmt::format("2001:db8:113::{:x}", byte);
    const std::string link = fmt::format("fe80::{:x}", byte);
    address(2, own.c_str(), 24);
    address(vip_ifindex, "198.51.100.10", 32);
    route("192.0.2.0", 24, RTN_UNICAST, 2, "203.0.113.254", own.c_str());
    address(2, own6.c_str(), 64);
    address(2, link.c_str(), 64);
    address(vip_ifindex, "2001:db8:51::10", 128);
    route("2001:db8:2::", 64, RTN_UNICAST, 2, "2001:db8:113::fe", own6.c_str());
    send(nodes_[index]);
  }

  FileDescriptor home_;
  std::vector<BareNode> nodes_;
  std::vector<char> buffer_ = std::vector<char>(std::size_t{256} * 1024);
  std::size_t used_ = 0;
  nlmsghdr* message_ = nullptr;
  bool good_ = true;
};

// -------------------------------------------------------------------------------------------------------------------
// The script. It says "built" when it has built, and takes everything down when told to go on.

constexpr char kScript[] = R"script(
set -e
mount -t tmpfs tmpfs /run && mkdir /run/netns
echo ready; read -r _
ip netns add segment
ip -n segment link add switch type bridge stp_state 0 mcast_snooping 0
ip -n segment link set switch addrgenmode none
ip -n segment link set switch up
node() {  # name, last byte
  ip netns add "$1"
  ip -n "$1" link set lo up
  local mac
  mac=02:00:cb:00:71:$(printf %02x "$2")
  ip -n segment link add "p-$1" type veth peer name eth0 address "$mac" netns "$1"
  ip -n segment link set "p-$1" addrgenmode none
  ip -n segment link set "p-$1" master switch up
  ip netns exec "$1" sysctl -qw net.ipv4.conf.eth0.rp_filter=0 net.ipv6.conf.eth0.accept_ra=0
  ip -n "$1" link set eth0 addrgenmode none
  ip -n "$1" link set eth0 up
  ip -n "$1" addr add "fe80::$(printf %x "$2")/64" dev eth0 nodad
}
node client 254
ip netns exec client sysctl -qw net.ipv6.ip_nonlocal_bind=1 net.ipv4.conf.eth0.arp_announce=2
ip -n client addr add 203.0.113.254/24 dev eth0 noprefixroute
ip -n client addr add 2001:db8:113::fe/64 dev eth0 nodad noprefixroute
ip -n client addr add 2001:db8:2::1/128 dev lo nodad
ip -n client route add local 192.0.2.0/24 dev lo
ip -n client route add blackhole 192.0.2.240/28 table local
ip -n client route add local 2001:db8:2::/64 dev lo
for to in 203.0.113.0/24 198.51.100.0/24; do ip -n client route add "$to" dev eth0 src 192.0.2.1; done
for to in 2001:db8:113::/64 2001:db8:51::/64; do ip -n client route add "$to" dev eth0 src 2001:db8:2::1; done
back() {  # name, last byte, device of the VIP
  local hex
  hex=$(printf %x "$2")
  ip -n "$1" addr add "203.0.113.$2/24" dev eth0
  ip -n "$1" addr add "2001:db8:113::$hex/64" dev eth0 nodad
  ip -n "$1" addr add 198.51.100.10/32 dev "$3"
  ip -n "$1" addr add 2001:db8:51::10/128 dev "$3" nodad
  ip -n "$1" route add 192.0.2.0/24 via 203.0.113.254 src "203.0.113.$2"
  ip -n "$1" route add 2001:db8:2::/64 via 2001:db8:113::fe src "2001:db8:113::$hex"
}
node director 1
back director 1 eth0
for i in $(seq 1 "$SERVERS"); do
  node "real$i" $((10 + i))
  ip netns exec "real$i" sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 net.ipv4.conf.eth0.arp_announce=2
  back "real$i" $((10 + i)) lo
done
echo built; read -r _
ip netns del segment
ip netns del client
ip netns del director
for i in $(seq 1 "$SERVERS"); do ip netns del "real$i"; done
echo gone
)script";

/// A bash at work on the script. Its end, however it comes, ends the mount namespace and all that the script made.
class Script {
 public:
  static Result<Script> start(int servers) {
    std::array<int, 2> in;
    std::array<int, 2> out;
    if (::pipe2(in.data(), O_CLOEXEC) != 0) return system_error("pipe2");
    FileDescriptor in_read(in[0]);
    FileDescriptor in_write(in[1]);
    if (::pipe2(out.data(), O_CLOEXEC) != 0) return system_error("pipe2");
    FileDescriptor out_read(out[0]);
    FileDescriptor out_write(out[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in_read.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out_write.get(), STDOUT_FILENO);
    const std::string text = fmt::format("SERVERS={}\n{}", servers, kScript);
    std::array<const char*, 7> arguments = {"unshare",    "--mount", "--propagation=private", "/bin/bash", "-c",
                                            text.c_str(), nullptr};
    pid_t pid = -1;
    const int error =
        ::posix_spawnp(&pid, "unshare", &actions, nullptr, const_cast<char* const*>(arguments.data()), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return system_error("posix_spawn(unshare --mount /bin/bash)", error);
    Script script(pid, std::move(in_write), std::move(out_read));
    LVSPEC_TRY(script.expect("ready\n"));
    return script;
  }

  Script(Script&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), in_(std::move(other.in_)), out_(std::move(other.out_)) {}
  Script& operator=(Script&&) = delete;
  ~Script() {
    if (pid_ < 0) return;
    in_.reset();  // its next `read` fails, and with `set -e` so does the script
    ::waitpid(pid_, nullptr, 0);
  }

  /// Lets it go on and waits until it says `word`.
  Status go_on_until(const std::string& word) {
    if (::write(in_.get(), "\n", 1) != 1) return system_error("script: write");
    return expect(word);
  }

 private:
  Script(pid_t pid, FileDescriptor in, FileDescriptor out) : pid_(pid), in_(std::move(in)), out_(std::move(out)) {}

  Status expect(const std::string& word) {
    std::string said;
    std::array<char, 256> piece;
    while (said.size() < word.size()) {
      const ssize_t got = ::read(out_.get(), piece.data(), piece.size());
      if (got <= 0) break;
      said.append(piece.data(), static_cast<std::size_t>(got));
    }
    if (said == word) return {};
    return Error{fmt::format("the `ip netns` script ended before it said {}", word)};
  }

  pid_t pid_;
  FileDescriptor in_;
  FileDescriptor out_;
};

// -------------------------------------------------------------------------------------------------------------------

struct Times {
  std::vector<double> build;
  std::vector<double> build_cpu;
  std::vector<double> destroy;
  std::vector<double> back_to_back;
};

struct Bare {
  static Result<BareWorld> build(int servers) {
    BareWorld world(servers);
    if (!world.good()) return Error{"the bare rtnetlink program was refused something"};
    return world;
  }
};

struct Ours {
  static Result<World> build(int servers) {
    Topology topology;
    topology.server_count = servers;
    return World::build(topology);
  }
};

template <typename Builder>
Status time_once(int servers, Times* times) {
  const double cpu_start = cpu_ms();
  const auto start = Clock::now();
  auto built = Builder::build(servers);
  times->build.push_back(ms_since(start));
  times->build_cpu.push_back(cpu_ms() - cpu_start);
  if (!built.ok()) return built.error();
  // Moved out, so that its end is what is timed and nothing else.
  std::optional world(std::move(built).value());
  const auto end = Clock::now();
  world.reset();
  times->destroy.push_back(ms_since(end));
  return {};
}

template <typename Builder>
Status time_back_to_back(int servers, Times* times) {
  constexpr int kWorlds = 5;
  const auto start = Clock::now();
  for (int i = 0; i < kWorlds; ++i) {
    const auto built = Builder::build(servers);
    if (!built.ok()) return built.error();
  }
  times->back_to_back.push_back(ms_since(start) / kWorlds);
  return {};
}

Status time_script(int servers, Times* times) {
  LVSPEC_ASSIGN(Script script, Script::start(servers));
  const auto start = Clock::now();
  LVSPEC_TRY(script.go_on_until("built\n"));
  times->build.push_back(ms_since(start));
  const auto end = Clock::now();
  LVSPEC_TRY(script.go_on_until("gone\n"));
  times->destroy.push_back(ms_since(end));
  return {};
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const BenchRow& row) {
  return out << fmt::format(
             "{:<44} ours {:9.3f} ms  bare {:9.3f} ms  script {:9.1f} ms  ours/bare {:5.2f}  "
             "script/ours {:7.1f}",
             row.name, row.ours_ms, row.bare_ms, row.script_ms, row.over_bare(), row.script_over_ours());
}

Result<std::vector<BenchRow>> bench_worlds(int rounds, const std::vector<int>& servers, bool script) {
  LVSPEC_CHECK(rounds >= 1);
  std::vector<BenchRow> rows;
  for (const int n : servers) {
    Times ours;
    Times bare;
    Times scripted;
    for (int round = 0; round < rounds; ++round) {
      // Who goes first changes from round to round: the second finds warmer caches.
      const bool ours_first = round % 2 == 0;
      LVSPEC_TRY(ours_first ? time_once<Ours>(n, &ours) : time_once<Bare>(n, &bare));
      let_the_kernel_clean_up(n);
      LVSPEC_TRY(ours_first ? time_once<Bare>(n, &bare) : time_once<Ours>(n, &ours));
      let_the_kernel_clean_up(n);
      LVSPEC_TRY(ours_first ? time_back_to_back<Ours>(n, &ours) : time_back_to_back<Bare>(n, &bare));
      let_the_kernel_clean_up(n);
      LVSPEC_TRY(ours_first ? time_back_to_back<Bare>(n, &bare) : time_back_to_back<Ours>(n, &ours));
      let_the_kernel_clean_up(n);
      if (!script) continue;
      LVSPEC_TRY(time_script(n, &scripted));
      let_the_kernel_clean_up(n);
    }
    const auto add = [&rows, n](const char* what, const std::vector<double>& a, const std::vector<double>& b,
                                const std::vector<double>& c) {
      rows.push_back({fmt::format("{}, {} real servers", what, n), median(a), median(b), median(c)});
    };
    add("build", ours.build, bare.build, scripted.build);
    add("build, CPU of the caller", ours.build_cpu, bare.build_cpu, {});
    add("destroy", ours.destroy, bare.destroy, scripted.destroy);
    add("back to back", ours.back_to_back, bare.back_to_back, {});
  }
  return rows;
}

}  // namespace lvspec
