#include "harness/ipvs/genl_ipvs.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include <linux/ip_vs.h>

#include <array>
#include <cerrno>

namespace lvspec {
namespace {

constexpr const char* kNoIpvs = "the running kernel has no IPVS (no generic netlink family IPVS); use --lab uml";

/// What a command is about, which decides what its refusals are called.
enum class About { kService, kServer, kDaemon, kOther };

/// ipvsadm's words for what the kernel says, or nothing if that is no refusal by IPVS (ADM-50..58, SYN-14).
const char* refusal(About about, int error) {
  switch (error) {
    case EEXIST:
      return about == About::kServer   ? "Destination already exists"
             : about == About::kDaemon ? "Daemon has already run"
                                       : "Service already exists";
    case ESRCH:
      return about == About::kServer   ? "Service not defined"
             : about == About::kDaemon ? "No daemon is running"
                                       : "No such service";
    case ENOENT:
      return about == About::kServer ? "No such destination" : "Scheduler or persistence engine not found";
    case EINVAL:
      return "Invalid operation.  Possibly wrong module version, address not unicast, ...";
    case ERANGE:
      return "Numerical result out of range";
    case ENODEV:
      return about == About::kDaemon ? "No such device" : nullptr;
    default:
      return nullptr;
  }
}

struct MessageDeleter {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, MessageDeleter>;

struct CallbackDeleter {
  void operator()(nl_cb* callbacks) const { nl_cb_put(callbacks); }
};

/// One exchange while it lasts.
struct Exchange {
  const std::function<void(nlmsghdr*)>& read;
  std::uint32_t sequence = 0;  ///< of what we sent
  int error = 0;               ///< errno as the kernel said it
  bool over = false;

  static int on_message(nl_msg* message, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    if (exchange->read) exchange->read(nlmsg_hdr(message));
    return NL_OK;
  }
  /// libnl counts answers, and would be out of step for good after one that the kernel swallowed.
  static int on_any(nl_msg* message, void* self) {
    return nlmsg_hdr(message)->nlmsg_seq == static_cast<Exchange*>(self)->sequence ? NL_OK : NL_SKIP;
  }
  static int on_end(nl_msg*, void* self) {
    static_cast<Exchange*>(self)->over = true;
    return NL_STOP;
  }
  /// libnl has its own numbers and drops the kernel's; here they still are.
  static int on_error(sockaddr_nl*, nlmsgerr* error, void* self) {
    static_cast<Exchange*>(self)->error = -error->error;
    static_cast<Exchange*>(self)->over = true;
    return NL_STOP;
  }
};

/// The top level attributes of a reply.
std::array<nlattr*, IPVS_CMD_ATTR_MAX + 1> attributes_of(nlmsghdr* header) {
  std::array<nlattr*, IPVS_CMD_ATTR_MAX + 1> all{};
  if (genlmsg_parse(header, 0, all.data(), IPVS_CMD_ATTR_MAX, nullptr) != 0) all.fill(nullptr);
  return all;
}

std::uint32_t u32_of(nlattr* attribute) { return attribute == nullptr ? 0 : nla_get_u32(attribute); }

/// Collects what `parse` makes of attribute `type` of each reply, up to the first that it cannot read.
template <typename T, typename Parse>
class Collector {
 public:
  Collector(int type, Parse parse) : type_(type), parse_(std::move(parse)) {}

  void operator()(nlmsghdr* header) {
    const nlattr* nest = attributes_of(header).at(static_cast<std::size_t>(type_));
    if (nest == nullptr || !found_.ok()) return;
    Result<T> one = parse_(nest);
    if (one.ok()) {
      found_->push_back(*std::move(one));
    } else {
      found_ = one.error();
    }
  }
  Result<std::vector<T>> take() { return std::move(found_); }

 private:
  int type_;
  Parse parse_;
  Result<std::vector<T>> found_ = std::vector<T>{};
};

template <typename T, typename Parse>
Collector<T, Parse> collector(int type, Parse parse) {
  return Collector<T, Parse>(type, std::move(parse));
}

VirtualService only_id(const ServiceId& id) {
  VirtualService service;
  service.id = id;
  return service;
}

}  // namespace

/// One command as it goes out, and what it is called when it comes back refused.
struct IpvsSocket::Order {
  std::uint8_t command;
  const char* verb;
  std::string object = {};
  About about = About::kOther;
  int flags = 0;
  std::function<void(nl_msg*)> fill = nullptr;
  bool answer_may_be_swallowed = false;
};

void IpvsSocket::Closer::operator()(nl_sock* socket) const { nl_socket_free(socket); }

IpvsSocket::IpvsSocket(std::unique_ptr<nl_sock, Closer> socket, int family)
    : socket_(std::move(socket)), family_(family) {}
IpvsSocket::IpvsSocket(IpvsSocket&&) noexcept = default;
IpvsSocket& IpvsSocket::operator=(IpvsSocket&&) noexcept = default;
IpvsSocket::~IpvsSocket() = default;

Result<IpvsSocket> IpvsSocket::open(const NetworkNamespace& netns) {
  std::unique_ptr<nl_sock, Closer> socket(nl_socket_alloc());
  LVSPEC_CHECK(socket != nullptr);
  LVSPEC_TRY(netns.call([&]() -> Status {
    const int error = genl_connect(socket.get());
    if (error < 0) return Error{fmt::format("{}: socket(NETLINK_GENERIC): {}", netns.name(), nl_geterror(error))};
    return {};
  }));
  const int family = genl_ctrl_resolve(socket.get(), IPVS_GENL_NAME);
  if (family == -NLE_OBJ_NOTFOUND) return unsupported(kNoIpvs);
  if (family < 0) return Error{fmt::format("{}: generic netlink family IPVS: {}", netns.name(), nl_geterror(family))};
  nl_socket_set_nonblocking(socket.get());
  return IpvsSocket(std::move(socket), family);
}

Status IpvsSocket::carry_out(const Order& order, const MessageReader& read) {
  const std::string what = order.object.empty() ? order.verb : fmt::format("{} {}", order.verb, order.object);
  const Message message(nlmsg_alloc());
  LVSPEC_CHECK(message != nullptr);
  LVSPEC_CHECK(genlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family_, 0, order.flags, order.command,
                           IPVS_GENL_VERSION) != nullptr);
  if (order.fill) order.fill(message.get());

  // libnl asks for an acknowledgement by itself, so every exchange but a dump ends in one.
  Exchange exchange{.read = read};
  const std::unique_ptr<nl_cb, CallbackDeleter> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  LVSPEC_CHECK(callbacks != nullptr);
  nl_cb_set(callbacks.get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM, Exchange::on_any, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, Exchange::on_message, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, Exchange::on_end, &exchange);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, Exchange::on_end, &exchange);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, Exchange::on_error, &exchange);
  // The kernel has answered when sendmsg returns, and has the next part of a dump ready when recvmsg does: an empty
  // socket means that no answer will come.
  int sent = nl_send_auto(socket_.get(), message.get());
  exchange.sequence = nlmsg_hdr(message.get())->nlmsg_seq;
  while (sent >= 0 && !exchange.over) {
    const int received = nl_recvmsgs(socket_.get(), callbacks.get());
    if (received < 0 && !exchange.over) sent = received;
  }
  if (sent == -NLE_AGAIN && order.answer_may_be_swallowed) return {};
  if (sent == -NLE_AGAIN) return Error{fmt::format("IPVS: {}: the kernel did not answer", what)};
  if (sent < 0) return Error{fmt::format("IPVS: {}: {}", what, nl_geterror(sent))};
  if (exchange.error == 0) return {};
  if (const char* words = refusal(order.about, exchange.error); words != nullptr)
    return director_error(fmt::format("{}: {} ({})", what, words, errno_text(exchange.error)));
  return system_error(fmt::format("IPVS: {}", what), exchange.error);
}

Status IpvsSocket::add_service(const VirtualService& service) {
  return carry_out({.command = IPVS_CMD_NEW_SERVICE,
                    .verb = "new service",
                    .object = service.id.str(),
                    .about = About::kService,
                    .fill = [&](nl_msg* message) { genl::put_service(message, service, genl::Detail::kFull); }});
}

Status IpvsSocket::edit_service(const VirtualService& service) {
  return carry_out({.command = IPVS_CMD_SET_SERVICE,
                    .verb = "edit service",
                    .object = service.id.str(),
                    .about = About::kService,
                    .fill = [&](nl_msg* message) { genl::put_service(message, service, genl::Detail::kFull); }});
}

Status IpvsSocket::remove_service(const ServiceId& id) {
  return carry_out(
      {.command = IPVS_CMD_DEL_SERVICE,
       .verb = "delete service",
       .object = id.str(),
       .about = About::kService,
       .fill = [&](nl_msg* message) { genl::put_service(message, only_id(id), genl::Detail::kIdentity); }});
}

Result<IpvsService> IpvsSocket::service(const ServiceId& id) {
  auto found = collector<IpvsService>(IPVS_CMD_ATTR_SERVICE, genl::read_service);
  LVSPEC_TRY(
      carry_out({.command = IPVS_CMD_GET_SERVICE,
                 .verb = "get service",
                 .object = id.str(),
                 .about = About::kService,
                 .fill = [&](nl_msg* message) { genl::put_service(message, only_id(id), genl::Detail::kIdentity); }},
                std::ref(found)));
  LVSPEC_ASSIGN(std::vector<IpvsService> services, found.take());
  if (services.size() != 1) return Error{fmt::format("IPVS: get service {}: {} replies", id.str(), services.size())};
  return std::move(services[0]);
}

Result<std::vector<IpvsService>> IpvsSocket::services() {
  auto found = collector<IpvsService>(IPVS_CMD_ATTR_SERVICE, genl::read_service);
  LVSPEC_TRY(
      carry_out({.command = IPVS_CMD_GET_SERVICE, .verb = "dump services", .flags = NLM_F_DUMP}, std::ref(found)));
  return found.take();
}

Status IpvsSocket::add_server(const ServiceId& service, const RealServer& server) {
  return carry_out({.command = IPVS_CMD_NEW_DEST,
                    .verb = "new server",
                    .object = fmt::format("{} {}", service.str(), server.endpoint().str()),
                    .about = About::kServer,
                    .fill = [&](nl_msg* message) {
                      genl::put_service(message, only_id(service), genl::Detail::kIdentity);
                      genl::put_server(message, server, genl::Detail::kFull);
                    }});
}

Status IpvsSocket::edit_server(const ServiceId& service, const RealServer& server) {
  return carry_out({.command = IPVS_CMD_SET_DEST,
                    .verb = "edit server",
                    .object = fmt::format("{} {}", service.str(), server.endpoint().str()),
                    .about = About::kServer,
                    .fill = [&](nl_msg* message) {
                      genl::put_service(message, only_id(service), genl::Detail::kIdentity);
                      genl::put_server(message, server, genl::Detail::kFull);
                    }});
}

Status IpvsSocket::remove_server(const ServiceId& service, const Endpoint& server) {
  return carry_out({.command = IPVS_CMD_DEL_DEST,
                    .verb = "delete server",
                    .object = fmt::format("{} {}", service.str(), server.str()),
                    .about = About::kServer,
                    .fill = [&](nl_msg* message) {
                      RealServer named;
                      named.address = server.address;
                      named.port = server.port;
                      genl::put_service(message, only_id(service), genl::Detail::kIdentity);
                      genl::put_server(message, named, genl::Detail::kIdentity);
                    }});
}

Result<std::vector<IpvsServer>> IpvsSocket::servers(const ServiceId& service) {
  auto found = collector<IpvsServer>(
      IPVS_CMD_ATTR_DEST, [&service](const nlattr* nest) { return genl::read_server(nest, service.family); });
  LVSPEC_TRY(carry_out(
      {.command = IPVS_CMD_GET_DEST,
       .verb = "dump servers",
       .object = service.str(),
       .flags = NLM_F_DUMP,
       .fill = [&](nl_msg* message) { genl::put_service(message, only_id(service), genl::Detail::kIdentity); }},
      std::ref(found)));
  return found.take();
}

Status IpvsSocket::start_daemon(const SyncDaemon& daemon) {
  return carry_out({.command = IPVS_CMD_NEW_DAEMON,
                    .verb = "start sync daemon",
                    .object = daemon.role == SyncRole::kMaster ? "master" : "backup",
                    .about = About::kDaemon,
                    .fill = [&](nl_msg* message) { genl::put_daemon(message, daemon, genl::Detail::kFull); }});
}

// A thread that is stopped before it ever ran makes kthread_stop() return EINTR, and netlink_rcv_skb() takes EINTR
// from a command as "this one answers by itself": the daemon is stopped, and nobody says so. ipvsadm waits for ever
// then. Seen on 6.1.176 with a daemon that was started less than a tick before.
Status IpvsSocket::stop_daemon(SyncRole role) {
  return carry_out({.command = IPVS_CMD_DEL_DAEMON,
                    .verb = "stop sync daemon",
                    .object = role == SyncRole::kMaster ? "master" : "backup",
                    .about = About::kDaemon,
                    .fill =
                        [&](nl_msg* message) {
                          SyncDaemon daemon;
                          daemon.role = role;
                          genl::put_daemon(message, daemon, genl::Detail::kIdentity);
                        },
                    .answer_may_be_swallowed = true});
}

Result<std::vector<SyncDaemon>> IpvsSocket::daemons() {
  auto found = collector<SyncDaemon>(IPVS_CMD_ATTR_DAEMON, genl::read_daemon);
  LVSPEC_TRY(
      carry_out({.command = IPVS_CMD_GET_DAEMON, .verb = "dump sync daemons", .flags = NLM_F_DUMP}, std::ref(found)));
  return found.take();
}

Status IpvsSocket::set_timeouts(const IpvsTimeouts& timeouts) {
  return carry_out({.command = IPVS_CMD_SET_CONFIG,
                    .verb = "set timeouts",
                    .object = fmt::format("{} {} {}", timeouts.tcp, timeouts.tcp_fin, timeouts.udp),
                    .fill = [&](nl_msg* message) { genl::put_timeouts(message, timeouts); }});
}

Result<IpvsTimeouts> IpvsSocket::timeouts() {
  IpvsTimeouts timeouts;
  LVSPEC_TRY(carry_out({.command = IPVS_CMD_GET_CONFIG, .verb = "get timeouts"}, [&](nlmsghdr* header) {
    const auto in = attributes_of(header);
    timeouts = {u32_of(in[IPVS_CMD_ATTR_TIMEOUT_TCP]), u32_of(in[IPVS_CMD_ATTR_TIMEOUT_TCP_FIN]),
                u32_of(in[IPVS_CMD_ATTR_TIMEOUT_UDP])};
  }));
  return timeouts;
}

Result<IpvsInfo> IpvsSocket::info() {
  IpvsInfo info;
  LVSPEC_TRY(carry_out({.command = IPVS_CMD_GET_INFO, .verb = "get info"}, [&](nlmsghdr* header) {
    std::array<nlattr*, IPVS_INFO_ATTR_MAX + 1> in{};
    if (genlmsg_parse(header, 0, in.data(), IPVS_INFO_ATTR_MAX, nullptr) != 0) return;
    const std::uint32_t version = u32_of(in[IPVS_INFO_ATTR_VERSION]);  // 0x010201
    info.version = fmt::format("{}.{}.{}", version >> 16 & 0xff, version >> 8 & 0xff, version & 0xff);
    info.connection_table = u32_of(in[IPVS_INFO_ATTR_CONN_TAB_SIZE]);
  }));
  return info;
}

Status IpvsSocket::zero(const std::optional<ServiceId>& service) {
  return carry_out({.command = IPVS_CMD_ZERO,
                    .verb = "zero",
                    .object = service ? service->str() : "",
                    .about = About::kService,
                    .fill = [&](nl_msg* message) {
                      if (service) genl::put_service(message, only_id(*service), genl::Detail::kIdentity);
                    }});
}

Status IpvsSocket::flush() { return carry_out({.command = IPVS_CMD_FLUSH, .verb = "flush"}); }

}  // namespace lvspec
