#include "harness/bench/ip_script.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace lvspec {
namespace {

constexpr char kScript[] = R"script(
set -e
mount -t tmpfs tmpfs /run && mkdir /run/netns
echo ready >&4; read -r _ <&3
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
echo built >&4; read -r _ <&3
ip netns del segment
ip netns del client
ip netns del director
for i in $(seq 1 "$SERVERS"); do ip netns del "real$i"; done
echo gone >&4
)script";

constexpr std::chrono::seconds kPatience{120};  // 100 servers take 5 s, on a busy machine 20 s

}  // namespace

Result<IpScript> IpScript::start(int servers) {
  std::array<int, 2> orders{};
  std::array<int, 2> words{};
  if (pipe2(orders.data(), O_CLOEXEC) != 0) return system_error("pipe2");
  const FileDescriptor orders_read(orders[0]);
  FileDescriptor orders_write(orders[1]);
  if (pipe2(words.data(), O_CLOEXEC) != 0) return system_error("pipe2");
  FileDescriptor words_read(words[0]);
  const FileDescriptor words_write(words[1]);
  LVSPEC_ASSIGN(Child child, Child::start({.argv = {"unshare", "--mount", "--propagation=private", "/bin/bash", "-c",
                                                    fmt::format("SERVERS={}\n{}", servers, kScript)},
                                           .fds = {{orders_read.get(), 3}, {words_write.get(), 4}},
                                           .environment = {}}));
  IpScript script(std::move(child), std::move(orders_write), std::move(words_read));
  LVSPEC_TRY(script.expect("ready\n"));
  return script;
}

IpScript::~IpScript() {
  if (!orders_.valid()) return;
  orders_.reset();  // its next `read` fails, and with `set -e` so does the script
  child_.wait(std::chrono::seconds(5));
}

Status IpScript::go_on_until(const std::string& word) {
  if (write(orders_.get(), "\n", 1) != 1) return system_error("the `ip netns` script: write");
  return expect(word + "\n");
}

Status IpScript::expect(const std::string& line) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::string said;
  while (said.size() < line.size()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{words_.get(), POLLIN, 0};
    const int ready = left.count() > 0 ? poll(&waiting, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    std::array<char, 256> piece;
    const ssize_t got = read(words_.get(), piece.data(), piece.size());
    if (got <= 0) break;
    said.append(piece.data(), static_cast<std::size_t>(got));
  }
  if (said == line) return {};
  child_.wait(std::chrono::milliseconds(200));
  return Error{fmt::format("the `ip netns` script {} and did not say {}{}", child_.status_text(),
                           line.substr(0, line.size() - 1), ": " + child_.output())};
}

}  // namespace lvspec
