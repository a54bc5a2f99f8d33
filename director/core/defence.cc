#include "director/core/defence.h"

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

constexpr int kAlways = 3;

void settle(int& mode) {
  if (mode == 2) mode = 1;  // memory is not short
}

}  // namespace

void Defence::take_level(Sysctls& sysctls) {
  settle(sysctls.drop_entry);
  settle(sysctls.drop_packet);
  settle(sysctls.secure_tcp);
  thins_ = sysctls.drop_entry == kAlways && !fault(Fault::kDropEntryIgnored);
  drop_rate_ = sysctls.drop_packet == kAlways && !fault(Fault::kDropPacketIgnored) ? sysctls.am_droprate : 0;
  secure_tcp_ = sysctls.secure_tcp == kAlways && !fault(Fault::kSecureTcpIgnored);
}

bool Defence::drops_packet() {
  if (drop_rate_ == 0) return false;
  if (--drop_counter_ > 0) return false;
  drop_counter_ = drop_rate_;
  return true;
}

std::size_t Defence::thin(DirectorTime now, ConnTable& connections) {
  std::size_t removed = 0;
  for (std::size_t i = connections.buckets() / 32; i-- > 0;) {
    doomed_.clear();
    connections.visit_bucket(random_() % connections.buckets(), [&](ConnEntry& entry) {
      const Duration idle = now - (connections.deadline_of(entry) - Duration(entry.timeout));
      if (dooms(entry, idle)) doomed_.push_back(&entry);
    });
    // A template that goes with its last connection is none of them: it had connections when it was looked at.
    for (ConnEntry* entry : doomed_) removed += connections.force_out(*entry);
  }
  return removed;
}

bool Defence::dooms(const ConnEntry& entry, Duration idle) {
  if (entry.controlled != 0) return false;
  if (entry.is_template) {
    const VirtualService* const service = entry.server == nullptr ? nullptr : entry.server->listed_in;
    if (service != nullptr && service->settings.one_packet) return dooms_idle(entry, idle);
    return !entry.assured || fault(Fault::kDropEntryTakesAssured);
  }
  switch (entry.protocol()) {
    case Protocol::kTcp:
      if (entry.state == TcpState::kSynRecv || entry.state == TcpState::kSynAck) return true;
      return entry.state == TcpState::kEstablished && dooms_idle(entry, idle);
    case Protocol::kSctp:
      if (entry.sctp_state == SctpState::kInit1 || entry.sctp_state == SctpState::kInit) return true;
      return entry.sctp_state == SctpState::kEstablished && dooms_idle(entry, idle);
    default:
      return dooms_idle(entry, idle);
  }
}

// CON-61. Source: ip_vs_conn.c, todrop_entry().
bool Defence::dooms_idle(const ConnEntry& entry, Duration idle) {
  if (idle < std::chrono::seconds(60)) return false;
  const std::uint32_t packets = entry.packets;
  if (fault(Fault::kDropEntryTakesBusy)) return true;
  if (packets == 0 || packets >= idle_counters_.size()) return false;
  if (--idle_counters_[packets] > 0) return false;
  idle_counters_[packets] = static_cast<int>(packets);
  return true;
}

}  // namespace lvspec::director
