// Floods, the sysctls against them, and the counters.

#include "director/core/fault_stories.h"

namespace lvspec::director {
namespace {

void defences(Story& story) {
  story.serve(kWeb, persistent(10000), {1, 1});
  const auto accepted = [&](const Sysctls& sysctls) {
    story.tell(story.director.set_sysctls(sysctls) == Outcome::kOk ? "taken" : "refused");
  };
  accepted({.drop_packet = 4});
  accepted({.am_droprate = 2, .drop_packet = 3});
  for (int n = 1; n <= 4; ++n) story.tell(story.visit({.from = client(n)}));
  accepted({.secure_tcp = 3});
  story.send({.from = client(5), .client_port = 1}, kSyn);
  for (const EntryView& entry : story.connections()) story.tell(entry.state);
  accepted({.sloppy_tcp = 1});
  story.tell(story.send({.from = client(6), .client_port = 2}, kAck));
  for (int n = 10; n < 40; ++n) story.send({.from = client(n), .client_port = 3}, kSyn);
  accepted({.drop_entry = 3});
  story.elapse(40s);
  story.tell(std::to_string(story.templates().size()) + "/" + std::to_string(story.connections().size()));
  story.elapse(1000s);
  story.tell(std::to_string(story.templates().size()));
}

// Idle connections of many packets are spared, those of one are not.
void thinning(Story& story) {
  story.serve(kWeb, scheduled_by("rr"), {1});
  for (int n = 0; n < 50; ++n) {
    Flow flow{.from = client(n), .client_port = 7};
    story.open(flow);
    for (int i = 0; i < 10; ++i) story.send(flow, kAck);
  }
  story.director.set_sysctls({.drop_entry = 3});
  story.elapse(600s);
  story.tell(std::to_string(story.connections().size()));
}

void counters(Story& story) {
  story.serve(kWeb, scheduled_by("rr"), {1});
  story.visit({.from = client(1)});
  for (int i = 0; i < 2; ++i) {
    story.tell(std::to_string(story.director.services()[0]->statistics.shown().connections));
    story.elapse(2s);
  }
  story.elapse(200s);
  story.director.remove_server(story.now(), kWeb, real(1));
  story.elapse(200s);
  story.director.add_server(kWeb, real(1), {});
  story.tell(std::to_string(story.server(kWeb, 1).statistics.shown().connections));
}

void odds_and_ends(Story& story) {
  const auto with = [&](const Sysctls& sysctls) { story.director.set_sysctls(sysctls); };
  // A port used again, after FIN and after RST.
  story.serve(kWeb, scheduled_by("rr"), {1, 1, 1});
  std::uint16_t port = 100;
  for (const int mode : {0, 1, 2}) {
    with({.conn_reuse_mode = mode});
    for (const TcpFlags end : {kFinAck, kRst}) {
      const Flow flow{.from = client(1), .client_port = ++port};
      for (const TcpFlags flags : {kSyn, kAck, end, kSyn}) story.tell(story.send(flow, flags));
    }
  }
  story.tell(std::to_string(story.server(kWeb, 1).active) + "/" + std::to_string(story.server(kWeb, 2).active));
  // Nobody there, and the address is our own.
  story.director.set_own_addresses({{Family::kIpv4, vip()}});
  story.mark(90, 9);
  story.director.add_service({.fwmark = 9}, scheduled_by("rr"));
  with({.cache_bypass = 1});
  story.tell(story.send({.from = client(1), .port = 90, .client_port = 1}, kSyn));
  story.tell(std::to_string(story.connections().size()));
  // A service of a whole family.
  ServiceSettings everybody = persistent(300);
  everybody.netmask = AddressMask::prefix(0);
  const ServiceKey six{.family = Family::kIpv6, .protocol = Protocol::kTcp, .address = {{0x20, 1}}, .port = 80};
  story.tell(story.director.add_service(six, everybody) == Outcome::kOk ? "taken" : "refused");
  // Counters from zero on.
  story.elapse(10s);
  story.director.zero(story.now(), kWeb);
  story.tell(std::to_string(story.director.services()[0]->statistics.shown().connections));
}

}  // namespace

std::vector<Plot> defence_plots() { return {defences, thinning, counters, odds_and_ends}; }

}  // namespace lvspec::director
