#include "harness/doctor/lean.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace lvspec::doctor {
namespace {

constexpr std::uint16_t kFtp = 21;

/// Who is one client to a persistent service.
std::string address_of_client(const VirtualService& service) {
  if (service.id.family == AF_INET6)
    return service.prefix_length == 128 ? "one IPv6 address" : fmt::format("one IPv6 /{}", service.prefix_length);
  const std::uint32_t mask = service.netmask.v4_host_order();
  if (mask == 0xffffffff) return "one IPv4 address";
  if (mask == 0) return "everybody";
  if (std::countl_one(mask) + std::countr_zero(mask) == 32) return fmt::format("one IPv4 /{}", std::countl_one(mask));
  return fmt::format("all addresses that agree in the bits of {}", service.netmask.str());
}

/// Where a template of the service serves.
std::string scope(const ServiceId& id) {
  if (id.is_mark()) return fmt::format("on all ports, protocols and addresses of mark {}", id.fwmark);
  const std::string protocol = protocol_name(id.protocol);
  if (id.port == 0) return fmt::format("on all {} ports of {}", protocol, id.address.str());
  if (id.port == kFtp && id.protocol == Protocol::kTcp)
    return fmt::format("on ports 20, 21 and from 1024 on of {}", id.address.str());
  return fmt::format("on {} port {} of {}", protocol, id.port, id.address.str());
}

Lean lean_of_persistent(const PlacedService& placed) {
  const VirtualService& service = placed.service;
  Lean lean{placed.place, service.id.str(), {}, service.persistent_s, {}, {}};
  lean.client = fmt::format("{}{}, {}", address_of_client(service), service.pe == "sip" ? " and one Call-ID" : "",
                            scope(service.id));
  lean.clauses = {service.id.family == AF_INET6 ? "TPL-11" : "TPL-10"};
  if (service.pe == "sip") lean.clauses.push_back("TPL-20");
  lean.clauses.push_back(service.id.is_mark()                                               ? "TPL-07"
                         : service.id.port == 0                                             ? "TPL-06"
                         : service.id.port == kFtp && service.id.protocol == Protocol::kTcp ? "SVC-10"
                                                                                            : "TPL-05");
  std::string renewed = "each new connection renews it, data on open ones does not";
  std::string end = fmt::format(
      "it ends {} s after the last of them, or, while an entry of the client still lives, in steps of 60 s after "
      "that",
      *service.persistent_s);
  lean.clauses.push_back("TPL-30");
  if (service.one_packet) {
    renewed = "each datagram renews it";
    end = fmt::format("it ends {} s after the last of them", *service.persistent_s);
    lean.clauses.push_back("CON-51");
  } else {
    lean.clauses.insert(lean.clauses.end(), {"TPL-31", "TPL-34", "TPL-35"});
  }
  lean.clauses.insert(lean.clauses.end(), {"VAL-01", "VAL-03"});
  lean.sentence = fmt::format(
      "a client is {}; its first connection goes where {} says and begins a window of {} s; {}; {}; weight 0 does "
      "not end "
      "it, removal of the server does",
      lean.client, service.scheduler, *service.persistent_s, renewed, end);
  return lean;
}

Lean lean_of_other(const PlacedService& placed) {
  const VirtualService& service = placed.service;
  Lean lean{placed.place, service.id.str(), "nobody", std::nullopt, {}, {}};
  if (service.one_packet) {
    lean.sentence = fmt::format("no client is remembered; {} chooses for each datagram", service.scheduler);
    lean.clauses = {"CON-50"};
  } else if (service.scheduler == "sh" || service.scheduler == "mh") {
    lean.client = service.id.family == AF_INET6 ? "one IPv6 address" : "one IPv4 address";
    lean.sentence = fmt::format(
        "no client is remembered; {} sends {} to the same server as long as the servers and weights stay as they are",
        service.scheduler, lean.client);
    lean.clauses = {service.scheduler == "sh" ? "SCH-53" : "SCH-63", "SVC-02"};
  } else {
    lean.sentence = fmt::format("no client is remembered; {} chooses for each new connection, which then stays",
                                service.scheduler);
    lean.clauses = {"SVC-02"};
    if (service.id.is_mark()) lean.clauses.push_back("FWM-03");
  }
  return lean;
}

}  // namespace

std::vector<Lean> leans(const Configuration& configuration) {
  std::vector<Lean> all;
  for (const PlacedService& one : configuration.services)
    all.push_back(one.persistent() ? lean_of_persistent(one) : lean_of_other(one));
  return all;
}

}  // namespace lvspec::doctor
