#include <fmt/format.h>

#include <algorithm>

#include "harness/ruleset/read.h"
#include "harness/ruleset/words.h"

namespace lvspec {
namespace {

using ruleset::did_you_mean;

/// Every scheduler of Linux 6.1 and the name for "none" (section 7; NLK, SCHED_NAME).
const std::vector<std::string> kSchedulers{"rr",  "wrr", "lc", "wlc", "lblc", "lblcr", "dh",  "sh",
                                           "sed", "nq",  "fo", "ovf", "mh",   "twos",  "none"};
const std::vector<std::string> kEngines{"sip"};

Error refused(const std::string& who, const std::string& message, const std::string& advice) {
  return usage_error(fmt::format("\"{}\": {}; {}", who, message, advice));
}

Status check_known(const std::string& name, const std::vector<std::string>& known, const std::string& kind) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  std::string all;
  for (const std::string& one : known) all += (all.empty() ? "" : " ") + one;
  const std::string guess = did_you_mean(name, known);
  return refused(name, "Scheduler or persistence engine not found",
                 fmt::format("{}{}s of Linux 6.1: {}", guess.empty() ? "" : guess + " ", kind, all));
}

Status check_service(const VirtualService& service) {
  LVSPEC_TRY(check_known(service.scheduler, kSchedulers, "scheduler"));
  if (!service.pe.empty()) LVSPEC_TRY(check_known(service.pe, kEngines, "persistence engine"));
  return {};
}

// DST-11, as far as no route table is needed: the kernel looks at the thresholds before it looks for the server, and
// at the address only of a server that it does not have yet.

Status check_thresholds(const RealServer& server) {
  if (server.lower <= server.upper) return {};
  return refused(
      server.endpoint().str(), "Numerical result out of range",
      fmt::format("the lower threshold, -y {}, has to be at most the upper one, -x {}", server.lower, server.upper));
}

Status check_address(const IpAddress& address) {
  if (ruleset::is_unicast(address)) return {};
  return refused(address.str(), "Invalid operation.  Possibly wrong module version, address not unicast, ...",
                 "a real server has a unicast address");
}

/// Carries out one command; one overload for each.
class Applier {
 public:
  explicit Applier(Ruleset* ruleset) : ruleset_(*ruleset) {}

  Status operator()(const AddService& command) {
    if (ruleset_.find(command.service.id) != nullptr)
      return refused(command.service.id.str(), "Service already exists", "change it with -E, or delete it with -D");
    LVSPEC_TRY(check_service(command.service));
    ruleset_.services.push_back(command.service);
    return {};
  }

  Status operator()(const EditService& command) {
    LVSPEC_ASSIGN(VirtualService * service, existing(command.service.id, "No such service"));
    LVSPEC_TRY(check_service(command.service));
    std::vector<RealServer> servers = std::move(service->servers);
    *service = command.service;
    service->servers = std::move(servers);
    return {};
  }

  Status operator()(const DeleteService& command) {
    LVSPEC_ASSIGN(VirtualService * service, existing(command.service, "No such service"));
    ruleset_.services.erase(ruleset_.services.begin() + (service - ruleset_.services.data()));
    return {};
  }

  Status operator()(const AddServer& command) {
    LVSPEC_ASSIGN(VirtualService * service, existing(command.service, "Service not defined"));
    LVSPEC_TRY(check_thresholds(command.server));
    if (service->find(command.server.address, command.server.port) != nullptr)
      return refused(command.server.endpoint().str(), "Destination already exists",
                     fmt::format("{} has it already; change it with -e", service->id.str()));
    LVSPEC_TRY(check_address(command.server.address));
    service->servers.push_back(command.server);
    return {};
  }

  Status operator()(const EditServer& command) {
    LVSPEC_ASSIGN(VirtualService * service, existing(command.service, "Service not defined"));
    LVSPEC_TRY(check_thresholds(command.server));
    LVSPEC_ASSIGN(RealServer * server, existing(service, command.server.endpoint()));
    *server = command.server;
    return {};
  }

  Status operator()(const DeleteServer& command) {
    LVSPEC_ASSIGN(VirtualService * service, existing(command.service, "Service not defined"));
    LVSPEC_ASSIGN(RealServer * server, existing(service, {command.address, command.port}));
    service->servers.erase(service->servers.begin() + (server - service->servers.data()));
    return {};
  }

  Status operator()(const ClearServices&) {
    ruleset_.services.clear();
    return {};
  }

 private:
  Result<VirtualService*> existing(const ServiceId& id, const std::string& message) {
    if (VirtualService* service = ruleset_.find(id)) return service;
    std::string advice = "add it with -A first";
    // FWM-07: the commonest reason why a service that was surely added is not found.
    ServiceId twin = id;
    twin.family = id.family == AF_INET6 ? AF_INET : AF_INET6;
    if (id.is_mark() && ruleset_.find(twin) != nullptr)
      advice = fmt::format("there is {}: {} -6 after -f", twin.str(), id.family == AF_INET6 ? "leave out" : "write");
    return refused(id.str(), message, advice);
  }

  static Result<RealServer*> existing(VirtualService* service, const Endpoint& endpoint) {
    if (RealServer* server = service->find(endpoint.address, endpoint.port)) return server;
    std::string has;
    for (const RealServer& server : service->servers) has += " " + server.endpoint().str();
    return refused(endpoint.str(), "No such destination",
                   fmt::format("{} has{}", service->id.str(), has.empty() ? " no servers" : has));
  }

  Ruleset& ruleset_;
};

}  // namespace

Status apply_command(const Command& command, Ruleset* ruleset) { return std::visit(Applier(ruleset), command); }

}  // namespace lvspec
