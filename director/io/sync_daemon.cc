#include "director/io/sync_daemon.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "director/control/translate.h"
#include "director/core/faults.h"

namespace lvspec::director {
namespace {

using std::chrono::seconds;

constexpr Duration kPatience = seconds(2);  // SYN-02
constexpr int kMasterMtu = 1500;            // whatever the interface says
constexpr int kLargestMtu = 65535;
constexpr int kSmallestBackup = 1024;
constexpr int kMostPorts = 64;  // SYN-15

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& call) {
  throw std::system_error(errno, std::generic_category(), "sync daemon: " + call);
}

template <typename T>
void set(const Socket& socket, int level, int option, const T& value, const char* name) {
  if (setsockopt(socket.fd(), level, option, &value, sizeof value) != 0) fail(fmt::format("setsockopt({})", name));
}

/// A socket address of either family.
struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;

  Endpoint(Family family, const Address& address, std::uint16_t port, int interface) {
    if (family == Family::kIpv6) {
      auto& six = reinterpret_cast<sockaddr_in6&>(storage);
      six.sin6_family = AF_INET6;
      six.sin6_port = htons(port);
      six.sin6_scope_id = static_cast<std::uint32_t>(interface);
      std::memcpy(&six.sin6_addr, address.bytes.data(), sizeof six.sin6_addr);
      size = sizeof six;
    } else {
      auto& four = reinterpret_cast<sockaddr_in&>(storage);
      four.sin_family = AF_INET;
      four.sin_port = htons(port);
      std::memcpy(&four.sin_addr, address.bytes.data(), sizeof four.sin_addr);
      size = sizeof four;
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

void bind_to(const Socket& socket, const Endpoint& address) {
  if (bind(socket.fd(), address.get(), address.size) != 0) fail("bind");
}

/// Where messages go to or come from.
struct Group {
  Family family;
  Address address;

  int domain() const { return family == Family::kIpv6 ? AF_INET6 : AF_INET; }
  std::size_t headers() const { return (family == Family::kIpv6 ? 40 : 20) + 8; }  // IP, UDP
  bool is_multicast() const {
    return family == Family::kIpv6 ? address.bytes[0] == 0xff : address.bytes[0] >> 4 == 0xe;
  }
};

ifreq request_for(const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

bool has_address(const std::string& interface, int domain) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) fail("getifaddrs");
  bool found = false;
  for (const ifaddrs* one = first; one != nullptr && !found; one = one->ifa_next)
    found = one->ifa_addr != nullptr && one->ifa_addr->sa_family == domain && interface == one->ifa_name;
  freeifaddrs(first);
  return found;
}

int mtu_of(const Socket& socket, const std::string& interface) {
  ifreq request = request_for(interface);
  if (ioctl(socket.fd(), SIOCGIFMTU, &request) != 0) fail("ioctl(SIOCGIFMTU)");
  return request.ifr_mtu;
}

/// A socket that hears and speaks on this interface alone.
Socket socket_on(const std::string& interface, int domain) {
  Socket socket(::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP));
  if (socket.fd() < 0) fail("socket");
  if (setsockopt(socket.fd(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                 static_cast<socklen_t>(interface.size() + 1)) != 0)
    fail(fmt::format("setsockopt(SO_BINDTODEVICE, {})", interface));
  return socket;
}

void connect_master(const Socket& socket, const protocol::Daemon& daemon, const Group& group, std::uint16_t port,
                    const std::optional<Address>& own) {
  const int interface = static_cast<int>(if_nametoindex(daemon.interface.c_str()));
  const bool six = group.family == Family::kIpv6;
  if (six) {
    set(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, interface, "IPV6_MULTICAST_IF");
    set(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "IPV6_MULTICAST_LOOP");
    set(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, int{daemon.ttl}, "IPV6_MULTICAST_HOPS");
  } else {
    ip_mreqn on{};
    on.imr_ifindex = interface;
    set(socket, IPPROTO_IP, IP_MULTICAST_IF, on, "IP_MULTICAST_IF");
    set(socket, IPPROTO_IP, IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP");
    set(socket, IPPROTO_IP, IP_MULTICAST_TTL, int{daemon.ttl}, "IP_MULTICAST_TTL");
  }
  if (own && !has_address(daemon.interface, group.domain())) {
    set(socket, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1, "IP_TRANSPARENT");
    bind_to(socket, Endpoint(group.family, *own, 0, 0));
  }
  const Endpoint to(group.family, group.address, port, interface);
  if (connect(socket.fd(), to.get(), to.size) != 0) fail("connect");
}

void join_backup(const Socket& socket, const protocol::Daemon& daemon, const Group& group, std::uint16_t port) {
  const int interface = static_cast<int>(if_nametoindex(daemon.interface.c_str()));
  set(socket, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  bind_to(socket, Endpoint(group.family, group.address, port, interface));
  if (group.family == Family::kIpv6) {
    ipv6_mreq on{};
    std::memcpy(&on.ipv6mr_multiaddr, group.address.bytes.data(), sizeof on.ipv6mr_multiaddr);
    on.ipv6mr_interface = static_cast<unsigned>(interface);
    set(socket, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, on, "IPV6_ADD_MEMBERSHIP");
  } else {
    ip_mreqn on{};
    std::memcpy(&on.imr_multiaddr, group.address.bytes.data(), sizeof on.imr_multiaddr);
    on.imr_ifindex = interface;
    set(socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, on, "IP_ADD_MEMBERSHIP");
  }
}

/// What the kernel would make of it. Source: Linux ip_vs_sync.c, start_sync_thread().
std::uint16_t message_size(const protocol::Daemon& daemon, int mtu, std::size_t headers) {
  const bool backup = daemon.role == "backup";
  const int most = kLargestMtu - static_cast<int>(headers);
  if (daemon.max_length != 0)
    return static_cast<std::uint16_t>(std::clamp<int>(daemon.max_length, backup ? kSmallestBackup : 1, most));
  const int of_mtu = backup ? std::clamp(mtu, kMasterMtu, kLargestMtu) : kMasterMtu;
  return static_cast<std::uint16_t>(of_mtu - static_cast<int>(headers));
}

}  // namespace

struct SyncDaemon::Channel {
  explicit Channel(Socket socket) : socket(std::move(socket)) {}

  Socket socket;
  // Of a master: the message in the making.
  std::vector<std::byte> memory;
  std::optional<SyncMessageWriter> message;
  DirectorTime first_entry;
};

SyncDaemon::SyncDaemon(Director& director, Clock& clock, std::vector<FamilyAddress> own)
    : director_(director), clock_(clock), own_(std::move(own)) {}

SyncDaemon::~SyncDaemon() {
  director_.set_sync_master(nullptr);
  director_.set_sync_backup(false);
}

std::optional<Address> SyncDaemon::own(Family family) const {
  for (const auto& [of, address] : own_)
    if (of == family) return address;
  return std::nullopt;
}

Refusal SyncDaemon::start(const protocol::Daemon& daemon) {
  const bool master = daemon.role == "master";
  if (!master && daemon.role != "backup")
    throw BadRequest(fmt::format("role \"{}\": neither master nor backup", daemon.role));
  if (daemon.sync_id > 255) throw BadRequest(fmt::format("sync_id {}: not 0..255", daemon.sync_id));
  if (role_of(daemon.role) && !fault(Fault::kSyncDaemonTwice)) return {"daemon-running", "Daemon has already run"};
  Group group{};
  group.address = address_of(daemon.group, "group", &group.family);
  if (!group.is_multicast()) throw BadRequest(fmt::format("group \"{}\": not a multicast address", daemon.group));
  // Messages have no words for tunnels to servers of another family (FWD-05).
  for (const VirtualService* service : director_.services())
    for (const RealServer* server : service->servers)
      if (server->key.family != service->key.family) return {code_of(Outcome::kInvalid), text_of(Outcome::kInvalid)};
  if (daemon.interface.size() >= IFNAMSIZ || if_nametoindex(daemon.interface.c_str()) == 0)
    return {"no-such-device", "No such device"};

  const Sysctls sysctls = director_.sysctls();
  if (!master_ && !backup_) ports_ = static_cast<std::size_t>(std::clamp(sysctls.sync_ports, 1, kMostPorts));
  if (fault(Fault::kSyncOnePort)) ports_ = 1;
  Role role{daemon, {}};
  try {
    for (std::size_t i = 0; i < ports_; ++i) {
      Socket socket = socket_on(daemon.interface, group.domain());
      const auto port = static_cast<std::uint16_t>(daemon.port + i);
      if (i == 0) role.daemon.max_length = message_size(daemon, mtu_of(socket, daemon.interface), group.headers());
      if (sysctls.sync_sock_size > 0)
        set(socket, SOL_SOCKET, master ? SO_SNDBUF : SO_RCVBUF, sysctls.sync_sock_size, "sync_sock_size");
      master ? connect_master(socket, daemon, group, port, own(group.family))
             : join_backup(socket, daemon, group, port);
      role.channels.push_back(std::make_unique<Channel>(std::move(socket)));
    }
  } catch (const std::system_error& error) {
    log(error.what());  // the answer has ipvsadm's words, which do not say what was attempted
    return {"world", error.code().message()};
  }
  if (master) {
    for (const auto& channel : role.channels)
      channel->memory.resize(std::max<std::size_t>(role.daemon.max_length, SyncMessageWriter::kLargestSingle));
    director_.set_sync_master(this);
  } else {
    received_.resize(std::max<std::size_t>(received_.size(), role.daemon.max_length));
    director_.set_sync_backup(true);
  }
  role_of(daemon.role) = std::move(role);
  return {};
}

// As with the kernel's, what has not been sent yet is not sent any more.
Refusal SyncDaemon::stop(const std::string& role) {
  if (role != "master" && role != "backup")
    throw BadRequest(fmt::format("role \"{}\": neither master nor backup", role));
  if (!role_of(role)) return {"no-daemon", "No daemon is running"};
  role_of(role).reset();
  role == "master" ? director_.set_sync_master(nullptr) : director_.set_sync_backup(false);
  return {};
}

std::vector<protocol::Daemon> SyncDaemon::list() const {
  std::vector<protocol::Daemon> daemons;
  for (const auto* role : {&master_, &backup_})
    if (*role) daemons.push_back((*role)->daemon);
  return daemons;
}

void SyncDaemon::open_message(Channel& channel, int version) {
  channel.message.emplace(channel.memory, master_->daemon.max_length, version,
                          static_cast<std::uint8_t>(master_->daemon.sync_id));
}

// All entries of a client go by the same port, so that they arrive in their order.
void SyncDaemon::add(DirectorTime now, const SyncEntry& entry) {
  std::size_t sum = 0;
  for (const std::uint8_t byte : entry.client.bytes) sum += byte;
  Channel& channel = *master_->channels[sum % ports_];
  const int version = director_.sysctls().sync_version;
  if (!SyncMessageWriter::can_say(version, entry)) return;
  if (channel.message && (channel.message->version() != version || channel.first_entry + kPatience <= now))
    send(channel);
  if (channel.message && !fault(Fault::kSyncUnbuffered) && channel.message->add(entry)) return;
  if (channel.message) send(channel);
  open_message(channel, version);
  channel.first_entry = now;
  channel.message->add(entry);
}

void SyncDaemon::send(Channel& channel) {
  const auto message = channel.message->message();
  // A full socket loses messages, as a full queue of the kernel's does (sync_qlen_max): the next one says it anew.
  if (::send(channel.socket.fd(), message.data(), message.size(), MSG_DONTWAIT) < 0)
    note(fmt::format("sync master: send: {}", std::strerror(errno)));
  channel.message.reset();
}

void SyncDaemon::flush_due(DirectorTime now) {
  if (!master_) return;
  for (const auto& channel : master_->channels)
    if (channel->message && channel->first_entry + kPatience <= now) send(*channel);
}

std::optional<DirectorTime> SyncDaemon::next_flush() const {
  std::optional<DirectorTime> next;
  if (!master_) return next;
  for (const auto& channel : master_->channels) {
    if (!channel->message) continue;
    const DirectorTime due = channel->first_entry + kPatience;
    next = next ? std::min(*next, due) : due;
  }
  return next;
}

std::vector<int> SyncDaemon::fds() const {
  std::vector<int> fds;
  if (backup_)
    for (const auto& channel : backup_->channels) fds.push_back(channel->socket.fd());
  return fds;
}

void SyncDaemon::receive() {
  for (const int fd : fds()) {
    for (;;) {
      const ssize_t size = recv(fd, received_.data(), backup_->daemon.max_length, MSG_DONTWAIT);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) break;
      take(std::span(received_).first(static_cast<std::size_t>(size)));
    }
  }
}

void SyncDaemon::take(std::span<const std::byte> datagram) {
  const SyncMessage message = decode_sync_message(datagram);
  const std::uint32_t wanted = backup_->daemon.sync_id;
  if (wanted != 0 && message.sync_id != wanted && message.defect != SyncDefect::kHeaderCut &&
      !fault(Fault::kSyncIdIgnored))
    return;
  if (message.defect != SyncDefect::kNone) note(fmt::format("sync backup: a message: {}", text_of(message.defect)));
  for (const SyncEntry& entry : message.entries) {
    const SyncLearned learned = director_.learn(clock_.now(), entry);
    if (learned != SyncLearned::kTaken && learned != SyncLearned::kStale)
      note(fmt::format("sync backup: an entry: {}", text_of(learned)));
    if (learned == SyncLearned::kUnknownState && fault(Fault::kSyncRestLost)) return;
  }
}

void SyncDaemon::note(const std::string& what) {
  if (noted_.insert(what).second) log(what);
}

}  // namespace lvspec::director
