// What a user-mode-linux guest can do, tried from inside: the init of the guests in uml_guest_test.cc. Each line that
// it prints is one JSON object.
//
//   lvspec_uml_probe WHAT [ARGUMENT]...      as PID 1 of a guest that UmlGuest has started

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// After the C library's, so that libc-compat.h keeps the kernel's own in_addr out of the way.
#include <linux/ip_vs.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/lab/uml/guest_init.h"
#include "harness/topology/world.h"

namespace lvspec {
namespace {

using nlohmann::json;
using std::chrono::duration;
using std::chrono::steady_clock;

void say(const json& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

double uptime_s() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Three real servers behind the kernel's own IPVS in direct routing: one service, rr, persistent.
class IpvsBench {
 public:
  static Result<IpvsBench> build(int family, unsigned persistence_s) {
    Topology topology;
    LVSPEC_ASSIGN(World world, World::build(topology));
    IpvsBench bench(std::move(world), family);
    if (family == AF_INET) LVSPEC_TRY(bench.add_service(persistence_s));
    for (int i = 1; i <= kServers; ++i) LVSPEC_TRY(bench.listen(i));
    return bench;
  }

  /// One connection from client 1 to the VIP. @return the number of the real server that accepted it.
  Result<int> connect() {
    LVSPEC_ASSIGN(FileDescriptor client, make_socket(world_.client().netns, world_.topology().client(1, family_), 0));
    sockaddr_storage to{};
    const socklen_t size = Endpoint{vip(), kPort}.to_sockaddr(&to);
    if (::connect(client.get(), reinterpret_cast<sockaddr*>(&to), size) != 0) return system_error("connect(VIP)");
    return accepted();
  }

  /// The lines of /proc/net/ip_vs_conn in the director's namespace that are templates (client port 0).
  Result<std::vector<std::string>> templates() {
    return world_.director_stack().call([]() -> Result<std::vector<std::string>> {
      std::ifstream file("/proc/thread-self/net/ip_vs_conn");
      if (!file) return system_error("open(/proc/thread-self/net/ip_vs_conn)");
      std::vector<std::string> found;
      for (std::string line; std::getline(file, line);)
        if (line.size() > 17 && line.compare(13, 4, "0000") == 0) found.push_back(line);
      return found;
    });
  }

  World& world() { return world_; }

 private:
  static constexpr int kServers = 3;
  static constexpr std::uint16_t kPort = 80;

  IpvsBench(World world, int family) : world_(std::move(world)), family_(family) {}
  const IpAddress& vip() const { return world_.topology().vips[family_ == AF_INET6 ? 1 : 0]; }

  static Result<FileDescriptor> make_socket(const NetworkNamespace& netns, const IpAddress& address,
                                            std::uint16_t port) {
    return netns.call([&]() -> Result<FileDescriptor> {
      FileDescriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (!socket.valid()) return system_error("socket(SOCK_STREAM)");
      sockaddr_storage at{};
      const socklen_t size = Endpoint{address, port}.to_sockaddr(&at);
      if (bind(socket.get(), reinterpret_cast<sockaddr*>(&at), size) != 0)
        return system_error(fmt::format("{}: bind({})", netns.name(), address.str()));
      return socket;
    });
  }

  Status add_service(unsigned persistence_s) {
    return world_.director_stack().call([&]() -> Status {
      const FileDescriptor control(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
      struct {
        ip_vs_service_user service{};
        ip_vs_dest_user dest{};
      } request;
      request.service.protocol = IPPROTO_TCP;
      request.service.addr = htonl(vip().v4_host_order());
      request.service.port = htons(kPort);
      std::strcpy(request.service.sched_name, "rr");
      request.service.flags = IP_VS_SVC_F_PERSISTENT;
      request.service.timeout = persistence_s;
      request.service.netmask = 0xffffffff;
      if (setsockopt(control.get(), IPPROTO_IP, IP_VS_SO_SET_ADD, &request.service, sizeof request.service) != 0)
        return system_error("setsockopt(IP_VS_SO_SET_ADD)");
      for (int i = 1; i <= kServers; ++i) {
        request.dest = {};
        request.dest.addr = htonl(world_.topology().real_server(i).v4_host_order());
        request.dest.port = htons(kPort);
        request.dest.conn_flags = IP_VS_CONN_F_DROUTE;
        request.dest.weight = 1;
        if (setsockopt(control.get(), IPPROTO_IP, IP_VS_SO_SET_ADDDEST, &request, sizeof request) != 0)
          return system_error("setsockopt(IP_VS_SO_SET_ADDDEST)");
      }
      return {};
    });
  }

  Status listen(int i) {
    LVSPEC_ASSIGN(FileDescriptor socket, make_socket(world_.real_server(i).netns, vip(), kPort));
    if (::listen(socket.get(), 16) != 0) return system_error("listen(real server)");
    listeners_.push_back(std::move(socket));
    return {};
  }

  /// The handshake is the kernels' affair, so one thread can play client and all servers.
  Result<int> accepted() {
    std::vector<pollfd> waiting;
    for (const FileDescriptor& listener : listeners_) waiting.push_back({listener.get(), POLLIN, 0});
    if (poll(waiting.data(), waiting.size(), 1000) <= 0) return Error{"connected, but no real server knows of it"};
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if ((waiting[i].revents & POLLIN) == 0) continue;
      const FileDescriptor connection(accept4(waiting[i].fd, nullptr, nullptr, SOCK_CLOEXEC));
      return static_cast<int>(i) + 1;
    }
    return Error{"poll without an event"};
  }

  World world_;
  int family_;
  std::vector<FileDescriptor> listeners_;
};

/// `sleep SECONDS`: how long the guest thinks it slept.
int sleep_for(double seconds) {
  const auto before = steady_clock::now();
  std::this_thread::sleep_for(duration<double>(seconds));
  say({{"slept_s", duration<double>(steady_clock::now() - before).count()}});
  return 0;
}

/// `idle SECONDS`: the same with a world, a service and a template, whose timers go on meanwhile.
Status idle_for(double seconds) {
  LVSPEC_ASSIGN(IpvsBench bench, IpvsBench::build(AF_INET, 300));
  LVSPEC_ASSIGN(const int server, bench.connect());
  (void)server;
  sleep_for(seconds);
  return {};
}

/// `first-probe`: from boot to the first answer.
Status first_probe() {
  const double ready = uptime_s();
  LVSPEC_ASSIGN(IpvsBench bench, IpvsBench::build(AF_INET, 300));
  const double built = uptime_s();
  LVSPEC_ASSIGN(const int server, bench.connect());
  say({{"server", server}, {"init_s", ready}, {"built_s", built}, {"answered_s", uptime_s()}});
  return {};
}

/// `template`: the life of a persistence template under the kernel's real default, 300 s.
Status template_story() {
  LVSPEC_ASSIGN(IpvsBench bench, IpvsBench::build(AF_INET, 300));
  const auto look = [&bench](const char* when) -> Status {
    LVSPEC_ASSIGN(const std::vector<std::string> lines, bench.templates());
    json line = {{"when", when}, {"templates", lines.size()}};
    if (!lines.empty()) line["left_s"] = std::stoi(lines[0].substr(lines[0].find_last_of(' ') + 1));
    say(line);
    return {};
  };
  LVSPEC_TRY(look("before"));
  LVSPEC_ASSIGN(const int first, bench.connect());
  // Whole seconds are shown: away from their edges, where a tick would decide between 299 and 300, or 9 and 10.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  LVSPEC_TRY(look("after one connection"));
  std::this_thread::sleep_for(std::chrono::milliseconds(290000));
  LVSPEC_TRY(look("290.5 s later"));
  // IPVS asks its timers at a granule of up to 5 s at this distance (HZ=100), and the connection of the first probe
  // still counts as the template's own (n_control) until its FIN_WAIT is over, after which the template gets 60 s
  // more.
  std::this_thread::sleep_for(std::chrono::seconds(80));
  LVSPEC_TRY(look("370.5 s later"));
  LVSPEC_ASSIGN(const int second, bench.connect());
  LVSPEC_ASSIGN(const int third, bench.connect());
  say({{"first", first}, {"after_expiry", second}, {"again", third}});
  return {};
}

/// `connections N`: what a fresh connection through IPVS costs.
Status connections(int count) {
  LVSPEC_ASSIGN(IpvsBench bench, IpvsBench::build(AF_INET, 300));
  const auto before = steady_clock::now();
  for (int i = 0; i < count; ++i) {
    LVSPEC_ASSIGN(const int server, bench.connect());
    (void)server;
  }
  say({{"connections", count}, {"virtual_s", duration<double>(steady_clock::now() - before).count()}});
  return {};
}

Status ipv6_connection() {
  LVSPEC_ASSIGN(IpvsBench bench, IpvsBench::build(AF_INET6, 300));
  // No IPVS service for IPv6 (setsockopt knows IPv4 only): the director itself would answer, so ask a real server.
  const IpAddress rip = bench.world().topology().real_server(2, AF_INET6);
  sockaddr_storage at{};
  const socklen_t size = Endpoint{rip, 8080}.to_sockaddr(&at);
  const auto tcp = []() -> Result<FileDescriptor> {
    FileDescriptor socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return system_error("socket(AF_INET6)");
    return socket;
  };
  LVSPEC_ASSIGN(const FileDescriptor server, bench.world().real_server(2).netns.call(tcp));
  if (bind(server.get(), reinterpret_cast<sockaddr*>(&at), size) != 0 || listen(server.get(), 4) != 0)
    return system_error("bind(" + rip.str() + ")");
  LVSPEC_ASSIGN(const FileDescriptor client, bench.world().client().netns.call(tcp));
  if (connect(client.get(), reinterpret_cast<sockaddr*>(&at), size) != 0) return system_error("connect(" + rip.str());
  return {};
}

/// Frames from a segment's bridge ports by recvmmsg, as the capture and the bundled director take them.
Status packet_socket() {
  LVSPEC_ASSIGN(IpvsBench bench, IpvsBench::build(AF_INET, 300));
  LVSPEC_ASSIGN(const FileDescriptor tap, bench.world().director().netns.call([]() -> Result<FileDescriptor> {
    FileDescriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    if (!socket.valid()) return system_error("socket(AF_PACKET)");
    const int on = 1;
    if (setsockopt(socket.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0)
      return system_error("setsockopt(PACKET_VNET_HDR)");
    return socket;
  }));
  LVSPEC_ASSIGN(const int server, bench.connect());
  (void)server;
  std::vector<std::vector<char>> frames(64, std::vector<char>(2048));
  std::vector<iovec> parts(frames.size());
  std::vector<mmsghdr> messages(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    parts[i] = {frames[i].data(), frames[i].size()};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = recvmmsg(tap.get(), messages.data(), messages.size(), MSG_DONTWAIT, nullptr);
  if (count < 2) return Error{fmt::format("recvmmsg: {} frames", count)};
  return {};
}

Status tun_device() {
  const FileDescriptor tun(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strcpy(request.ifr_name, "probe0");
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (ioctl(tun.get(), TUNSETIFF, &request) != 0) return system_error("ioctl(/dev/net/tun, TUNSETIFF)");
  return {};
}

Status threads() {
  constexpr int kThreads = 64;
  std::vector<std::thread> running;
  std::atomic<int> done = 0;
  for (int i = 0; i < kThreads; ++i)
    running.emplace_back([&done] {
      std::this_thread::sleep_for(std::chrono::seconds(5));
      ++done;
    });
  for (std::thread& thread : running) thread.join();
  return done == kThreads ? Status() : Status(Error{fmt::format("{} of {} threads", done.load(), kThreads)});
}

Status epoll() {
  int ends[2];
  const FileDescriptor waiting(epoll_create1(EPOLL_CLOEXEC));
  if (!waiting.valid() || pipe(ends) != 0) return system_error("epoll_create1, pipe");
  const FileDescriptor reader(ends[0]), writer(ends[1]);
  epoll_event event{EPOLLIN, {}};
  if (epoll_ctl(waiting.get(), EPOLL_CTL_ADD, reader.get(), &event) != 0) return system_error("epoll_ctl");
  const auto before = steady_clock::now();
  if (epoll_wait(waiting.get(), &event, 1, 30000) != 0) return Error{"epoll_wait: an event out of nothing"};
  if (steady_clock::now() - before < std::chrono::seconds(30)) return Error{"epoll_wait: its timeout came early"};
  if (write(writer.get(), "x", 1) != 1 || epoll_wait(waiting.get(), &event, 1, -1) != 1) return Error{"no event"};
  return {};
}

/// 20 children that run a program of the host.
Status processes() {
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/true", "true", nullptr);
      _exit(127);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) return Error{fmt::format("/bin/true: {}", status)};
  }
  return {};
}

/// A request by libcurl, loaded from the host's files, to a server of ours on the guest's loopback.
Status curl_request() {
  const FileDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(8080);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener.get(), 4) != 0)
    return system_error("bind(127.0.0.1:8080)");
  std::thread server([&listener] {
    const FileDescriptor connection(accept(listener.get(), nullptr, nullptr));
    char request[2048];
    if (read(connection.get(), request, sizeof request) <= 0) return;
    const char answer[] = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    if (write(connection.get(), answer, sizeof answer - 1) < 0) return;
  });
  void* library = dlopen("libcurl.so.4", RTLD_NOW);
  CURLcode code = CURLE_FAILED_INIT;
  long http = 0;
  if (library != nullptr) {
    const auto init = reinterpret_cast<decltype(&curl_easy_init)>(dlsym(library, "curl_easy_init"));
    const auto setopt = reinterpret_cast<decltype(&(curl_easy_setopt))>(dlsym(library, "curl_easy_setopt"));
    const auto perform = reinterpret_cast<decltype(&curl_easy_perform)>(dlsym(library, "curl_easy_perform"));
    const auto getinfo = reinterpret_cast<decltype(&(curl_easy_getinfo))>(dlsym(library, "curl_easy_getinfo"));
    const auto cleanup = reinterpret_cast<decltype(&curl_easy_cleanup)>(dlsym(library, "curl_easy_cleanup"));
    CURL* curl = init();
    setopt(curl, CURLOPT_URL, "http://127.0.0.1:8080/");
    setopt(curl, CURLOPT_TIMEOUT, 10L);
    code = perform(curl);
    getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
    cleanup(curl);
  }
  shutdown(listener.get(), SHUT_RDWR);  // lets a server go that nobody reached
  server.join();
  if (code != CURLE_OK || http != 204)
    return Error{fmt::format("curl: CURLcode {}, HTTP {}", static_cast<int>(code), http)};
  return {};
}

Status random_numbers() {
  char bytes[32];
  if (getentropy(bytes, sizeof bytes) != 0) return system_error("getentropy");
  return {};
}

/// The root of the guest is the host's, and must not be written to, whoever we are.
Status read_only_root() {
  const FileDescriptor file(open("/tmp/lvspec-uml-was-here", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (file.valid()) return Error{"/tmp/lvspec-uml-was-here could be created"};
  if (errno != EROFS) return system_error("open(/tmp/lvspec-uml-was-here)");
  return {};
}

/// `capabilities`: a line each.
int capabilities() {
  const std::vector<std::pair<const char*, Status (*)()>> all = {
      {"ipv6", ipv6_connection}, {"packet", packet_socket},  {"tun", tun_device},
      {"threads", threads},      {"epoll", epoll},           {"processes", processes},
      {"curl", curl_request},    {"random", random_numbers}, {"read-only root", read_only_root},
  };
  for (const auto& [name, try_it] : all) {
    const Status result = try_it();
    say({{"capability", name}, {"works", result.ok()}, {"why", result.ok() ? "" : result.error().message}});
  }
  return 0;
}

int report(const Status& status) {
  if (status.ok()) return 0;
  say({{"error", status.error().message}});
  return 1;
}

int run(const std::vector<std::string>& args) {
  const std::string what = args.empty() ? "" : args[0];
  const std::string argument = args.size() > 1 ? args[1] : "";
  if (what == "sleep") return sleep_for(std::stod(argument));
  if (what == "idle") return report(idle_for(std::stod(argument)));
  if (what == "first-probe") return report(first_probe());
  if (what == "template") return report(template_story());
  if (what == "connections") return report(connections(std::stoi(argument)));
  if (what == "capabilities") return capabilities();
  if (what == "exit") return std::stoi(argument);
  if (what == "write") {  // into writable_dir
    std::ofstream(argument) << args.at(2);
    return 0;
  }
  if (what == "abort") std::abort();
  if (what == "spin") {
    say({{"spinning", true}});
    for (volatile bool forever = true; forever;) {
    }
  }
  if (what == "eat") {  // memory, until the kernel has none
    std::vector<std::vector<char>> eaten;
    for (;;) eaten.emplace_back(1 << 20, 'x');
  }
  say({{"error", "unknown: " + what}});
  return 2;
}

}  // namespace
}  // namespace lvspec

int main(int count, char** arguments) {
  const std::vector<std::string> args(arguments + 1, arguments + count);
  if (!lvspec::is_guest_init()) {
    std::fprintf(stderr, "lvspec_uml_probe: not PID 1 of a guest that lvspec has started\n");
    return 2;
  }
  lvspec::GuestInit how;
  if (!args.empty() && args[0] == "sleep") how.modules.clear();  // an empty machine
  lvspec::run_guest_init(how, [&args] { return lvspec::run(args); });
}
