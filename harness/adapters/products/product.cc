#include "harness/adapters/products/product.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace lvspec {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::seconds kLongestRealWait{5};

template <typename T>
bool has(const std::vector<T>& list, const T& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

/// "C6336414:0050", as /proc/net/tcp writes an endpoint: each 32 bits of the address in the machine's order.
std::string proc_text(const Endpoint& at) {
  sockaddr_storage storage{};
  at.to_sockaddr(&storage);
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  const bool is_v6 = at.address.is_v6();
  std::uint32_t words[4] = {};
  std::memcpy(words, is_v6 ? static_cast<const void*>(&v6->sin6_addr) : &v4->sin_addr, is_v6 ? 16 : 4);
  std::string text;
  for (int i = 0; i < (is_v6 ? 4 : 1); ++i) text += fmt::format("{:08X}", words[i]);
  return text + fmt::format(":{:04X}", at.port);
}

/// "key=source-address-and-port" into an affinity. @return whether it is such a word.
bool claim_into(const std::string& word, Affinity* affinity) {
  if (word == "key=source-address")
    affinity->key = Affinity::Key::kSourceAddress;
  else if (word == "key=source-address-and-port")
    affinity->key = Affinity::Key::kSourceAddressAndPort;
  else if (word == "scope=service")
    affinity->scope = Affinity::Scope::kService;
  else if (word == "scope=all-services")
    affinity->scope = Affinity::Scope::kAllServices;
  else if (word == "window=as-configured")
    affinity->window = Affinity::Window::kAsConfigured;
  else if (word == "window=for-ever")
    affinity->window = Affinity::Window::kForEver;
  else if (word == "renewed_by=connection")
    affinity->renewed_by = Affinity::RenewedBy::kConnection;
  else if (word == "renewed_by=packet")
    affinity->renewed_by = Affinity::RenewedBy::kPacket;
  else if (word == "renewed_by=nothing")
    affinity->renewed_by = Affinity::RenewedBy::kNothing;
  else
    return false;
  return true;
}

}  // namespace

Product::Product(const DirectorSite&, NetworkNamespace netns, WireFence fence, DirectorIdentity identity,
                 Claims claims, const ProductOptions& options)
    : netns_(std::move(netns)),
      identity_(std::move(identity)),
      fence_(std::move(fence)),
      claims_(std::move(claims)),
      options_(options) {
  if (options_.claims.empty()) return;
  Affinity affinity = identity_.affinity.value_or(Affinity{});
  if (claim_into(options_.claims, &affinity)) {
    identity_.affinity = affinity;
  } else {
    identity_.capabilities.push_back(options_.claims);
  }
}

Error Product::not_claimed(const std::string& what) const {
  return unsupported(fmt::format("{} does not claim {}", identity_.name, what));
}

Error Product::failed(const std::string& what, Child* child) const {
  std::string words = child != nullptr ? child->output() : live_log();
  if (words.size() > 1200) words = "..." + words.substr(words.size() - 1200);
  return Error{fmt::format("director {}: {}{}; its last words: {}", identity_.name, what,
                           child != nullptr ? fmt::format("; its process {}", child->status_text()) : "",
                           words.empty() ? "(none)" : words)};
}

Status Product::check(const Ruleset& wanted) const {
  for (const VirtualService& service : wanted.services) {
    if (service.id.is_mark()) {
      if (!claims_.marks) return not_claimed("firewall marks");
    } else {
      if (!has(claims_.protocols, service.id.protocol)) return not_claimed(protocol_name(service.id.protocol));
      if (service.id.port == kAnyPort && !claims_.any_port) return not_claimed("services of every port");
    }
    if (service.id.family == AF_INET6 && !claims_.ipv6) return not_claimed("IPv6");
    if (!has(claims_.schedulers, service.scheduler)) return not_claimed("scheduler " + service.scheduler);
    const bool masked = service.netmask != IpAddress::v4(0xffffffff) || service.prefix_length != 128;
    if (masked && !claims_.masks) return not_claimed("a netmask of clients");
    if (service.one_packet && !claims_.one_packet) return not_claimed("one-packet scheduling");
    if (!service.pe.empty() && !claims_.engines) return not_claimed("persistence engines");
    if (!service.sched_flags.empty() && !claims_.flags) return not_claimed("scheduler flags");
    for (const RealServer& server : service.servers) {
      if ((server.upper != 0 || server.lower != 0) && !claims_.thresholds) return not_claimed("thresholds");
      if (server.port != service.id.port && !claims_.server_ports) return not_claimed("servers on another port");
      if (!claims_.methods.empty() && !has(claims_.methods, server.method))
        return not_claimed("forwarding method " + method_name(server.method));
    }
  }
  return {};
}

Status Product::order(const Command& command) {
  Ruleset wanted = ruleset_;
  if (const Status done = apply_command(command, &wanted); !done.ok()) return director_error(done.error().message);
  LVSPEC_TRY(check(wanted));
  LVSPEC_TRY(bring(wanted));
  ruleset_ = std::move(wanted);
  return {};
}

Status Product::set_marks(const std::vector<MarkRule>& rules) {
  if (rules.empty()) return {};
  return not_claimed("firewall marks");
}
Status Product::set_sysctl(const std::string& name, int) { return not_claimed("the setting net.ipv4.vs." + name); }
Status Product::set_timeouts(std::uint32_t, std::uint32_t, std::uint32_t) {
  return not_claimed("timeouts of connections");
}
Status Product::start_daemon(const SyncDaemon&) { return not_claimed("state sync"); }
Status Product::stop_daemon(SyncRole) { return not_claimed("state sync"); }

Status Product::await_fence(std::uint64_t token) {
  return fence_.await(token, kPatience, "director " + identity_.name);
}

Status Product::advance(std::chrono::nanoseconds step) {
  if (options_.real_time && step > kLongestRealWait)
    return environment_error(
        fmt::format("needs virtual time: {} s would pass for real here; --lab uml does it at no cost",
                    std::chrono::duration_cast<std::chrono::seconds>(step).count()));
  return sleep_for(step);
}

std::chrono::nanoseconds Product::granule(std::chrono::nanoseconds) const { return std::chrono::seconds(1); }

std::string Product::log() const {
  std::string text;
  for (const std::string& past : past_logs_) text += past;
  return text + live_log();
}

Result<Child> Product::start(std::vector<std::string> argv, std::vector<std::pair<int, int>> fds) const {
  LVSPEC_ASSIGN(argv[0], program_path(argv[0]));
  // The child starts where the thread that starts it is.
  return netns_.call(
      [&] { return Child::start({.argv = std::move(argv), .fds = std::move(fds), .environment = {}}); });
}

Status Product::await(const std::string& what, Child* child, const std::function<Result<bool>()>& holds) const {
  const auto deadline = steady_clock::now() + kPatience;
  for (;;) {
    LVSPEC_ASSIGN(const bool held, holds());
    if (held) return {};
    if (child != nullptr && !child->running()) return failed(what + ": no", child);
    if (steady_clock::now() >= deadline)
      return failed(fmt::format("{}: not within {} s", what, kPatience.count()), child);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Result<bool> Product::listens(Protocol protocol, const Endpoint& at) const {
  const bool udp = protocol == Protocol::kUdp;
  const std::string path =
      fmt::format("/proc/thread-self/net/{}{}", udp ? "udp" : "tcp", at.address.is_v6() ? "6" : "");
  const std::string wanted = proc_text(at), state = udp ? "07" : "0A";  // TCP_CLOSE, TCP_LISTEN
  return netns_.call([&]() -> Result<bool> {
    std::ifstream file(path);
    if (!file) return system_error(fmt::format("open({})", path));
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string slot, local, remote, in_state;
      words >> slot >> local >> remote >> in_state;
      if (local == wanted && in_state == state) return true;
    }
    return false;
  });
}

std::optional<std::string> Product::ask(const std::string& to, const std::string& question) const {
  const Result<FileDescriptor> socket = netns_.call([&]() -> Result<FileDescriptor> {
    sockaddr_storage storage{};
    socklen_t length = 0;
    if (to[0] == '@') {
      auto* name = reinterpret_cast<sockaddr_un*>(&storage);
      name->sun_family = AF_UNIX;
      std::memcpy(name->sun_path + 1, to.data() + 1, std::min(to.size() - 1, sizeof name->sun_path - 1));
      length = sizeof(sockaddr_un);  // HAProxy's abns names are filled up with zeros
    } else {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      v4->sin_family = AF_INET;
      inet_pton(AF_INET, to.substr(0, to.find(':')).c_str(), &v4->sin_addr);
      v4->sin_port = htons(static_cast<std::uint16_t>(std::stoi(to.substr(to.find(':') + 1))));
      length = sizeof(sockaddr_in);
    }
    FileDescriptor fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return system_error("socket()");
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) return system_error("connect()");
    return fd;
  });
  if (!socket.ok()) return std::nullopt;
  if (!question.empty()) (void)!send(socket->get(), question.data(), question.size(), MSG_NOSIGNAL);
  std::string said;
  char chunk[4096];
  const auto deadline = steady_clock::now() + std::chrono::seconds(2);
  while (steady_clock::now() < deadline) {
    pollfd waiting{socket->get(), POLLIN, 0};
    if (poll(&waiting, 1, 2000) <= 0) break;
    const ssize_t count = recv(socket->get(), chunk, sizeof chunk, 0);
    if (count <= 0) break;
    said.append(chunk, static_cast<std::size_t>(count));
  }
  return said;
}

void Product::end(Child child) {
  child.stop();
  past_logs_.push_back(child.output());
}

Result<ConfigurationFile> ConfigurationFile::create() {
  FileDescriptor file(memfd_create("lvspec.conf", MFD_CLOEXEC));
  if (!file.valid()) return system_error("memfd_create(lvspec.conf)");
  // A memfd begins as executable, and keepalived skips what is.
  if (fchmod(file.get(), 0644) != 0) return system_error("fchmod(lvspec.conf)");
  return ConfigurationFile(std::move(file));
}

Status ConfigurationFile::write(const std::string& text) {
  if (ftruncate(file_.get(), 0) != 0) return system_error("ftruncate(lvspec.conf)");
  if (pwrite(file_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return system_error("pwrite(lvspec.conf)");
  return {};
}

Result<std::string> program_path(const std::string& name) {
  for (const char* folder : {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"}) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return environment_error(fmt::format("needs {}: it is not installed; ci/setup installs it", name));
}

}  // namespace lvspec
