#include "director/core/persistence.h"

#include <algorithm>

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

Address masked_client(const VirtualService& service, const Packet& packet) {
  AddressMask mask = service.settings.netmask;
  if (fault(Fault::kOneServerForAll)) return {};
  if (fault(Fault::kMaskIgnored)) return packet.source;
  if (fault(Fault::kMaskZeroIsUnset) && mask == AddressMask{}) return packet.source;
  if (fault(Fault::kMaskWrongBytes)) {
    for (auto word = mask.bits.begin(); word != mask.bits.end(); word += 4) std::reverse(word, word + 4);
  }
  return mask.apply(packet.source);
}

// As an address whose first 32 bits are the mark, in both families (TPL-13).
Address mark_as_address(const VirtualService& service) {
  return Address::v4(fault(Fault::kMarksMixed) ? 0 : service.key.fwmark);
}

}  // namespace

bool is_persistent(const VirtualService& service) {
  if (fault(Fault::kNoPersistence)) return false;
  if (fault(Fault::kMarkAlwaysPersistent) && service.key.fwmark != 0) return true;
  if (fault(Fault::kEngineIsEnough) && !service.settings.engine.empty()) return true;
  return service.settings.persistent;
}

TemplateKey template_key(const VirtualService& service, const Packet& packet) {
  TemplateKey result{.key = {.family = packet.family,
                             .protocol = packet.protocol,
                             .is_template = true,
                             .client_port = 0,
                             .virtual_port = 0,
                             .client = masked_client(service, packet),
                             .virtual_address = packet.destination}};
  ConnKey& key = result.key;
  if (fault(Fault::kKeyIncludesSourcePort)) key.client_port = packet.source_port;

  // A packet to port 0 of a port-0 or mark service comes this way too (TPL-15).
  if (packet.destination_port == service.key.port) {
    if (fault(Fault::kFtpTemplatesApart)) key.virtual_port = service.key.port;
    if (service.key.port == kFtpPort) return result;
    result.has_server_port = true;
    if (!fault(Fault::kPpcCoversAllPorts)) key.virtual_port = service.key.port;
    return result;
  }
  if (service.key.fwmark == 0) {
    if (fault(Fault::kPccKeyIncludesPort)) key.virtual_port = packet.destination_port;
    if (fault(Fault::kTcpUdpShareTemplate)) key.protocol = Protocol::kNone;
    return result;
  }
  if (!fault(Fault::kMarkKeyIncludesProtocol)) key.protocol = Protocol::kNone;
  if (!fault(Fault::kMarkKeyIncludesAddress)) key.virtual_address = mark_as_address(service);
  if (fault(Fault::kMarkKeyIncludesPort)) key.virtual_port = packet.destination_port;
  return result;
}

Duration template_timeout(const VirtualService& service) {
  using std::chrono::seconds;
  const Duration configured = seconds(service.settings.timeout_s);
  if (fault(Fault::kTimeoutUnitSlip)) return configured / 60;
  if (fault(Fault::kTimeoutConstant)) return seconds(360);
  if (fault(Fault::kTimeout16Bit)) return std::min<Duration>(configured, seconds(65535));
  if (fault(Fault::kMarkAlwaysPersistent) && !service.settings.persistent) return seconds(360);
  return configured;
}

std::uint16_t persistent_server_port(const VirtualService& service, const RealServer& server, const Packet& packet) {
  if (fault(Fault::kNatPortZero)) return server.key.port;
  const bool own_port = packet.destination_port == service.key.port && server.key.port != 0;
  return own_port ? server.key.port : packet.destination_port;
}

bool is_valid_for_template(const RealServer& server, const Sysctls& sysctls) {
  if (server.unbound && fault(Fault::kSyncUnboundUsed)) return true;
  if (!server.available && !fault(Fault::kRemovedServerUsed)) return false;
  if (fault(Fault::kThresholdUnpins) && server.overloaded) return false;
  if (server.settings.weight != 0) return true;
  if (fault(Fault::kWeightZeroUnpins)) return false;
  return sysctls.expire_quiescent_template == 0 || fault(Fault::kQuiescentIgnored);
}

}  // namespace lvspec::director
