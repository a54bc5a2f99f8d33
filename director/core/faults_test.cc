// Every fault must change something that a client or a reader of the tables can see. A handful of small stories is
// told by the healthy director and then under each fault; a fault under which all stories come out the same is none.

#include "director/core/faults.h"

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "director/core/test_world.h"

namespace lvspec::director {

void PrintTo(const FaultInfo& info, std::ostream* out) { *out << info.name; }

namespace {

/// A world that writes down what happens in it.
class Story : public World {
 public:
  void tell(const std::string& what) { text_ += what + " "; }
  void tell_templates() {
    std::vector<std::string> lines;
    for (const EntryView& entry : templates()) {
      lines.push_back(std::to_string(entry.expires_in / 1ms) + "/" + std::to_string(entry.controlled) + "/" +
                      name_of(entry.server));
    }
    std::sort(lines.begin(), lines.end());
    tell("[" + testing::PrintToString(lines) + "]");
  }
  void mark(std::uint16_t port, std::uint32_t with) {
    MarkRule rule;
    rule.destination_port_low = rule.destination_port_high = port;
    rule.mark = with;
    marks_.push_back(rule);
    director.set_marks(marks_);
  }
  std::string text() const { return text_; }

 private:
  std::string text_;
  std::vector<MarkRule> marks_;
};

const ServiceKey kWeb = tcp_service(80);

void stickiness(Story& story) {
  story.serve(kWeb, persistent(300), {1, 1, 1});
  for (const int n : {1, 1, 2, 1, 3, 2}) story.tell(story.visit({.from = client(n)}));
  Flow one{.from = client(7), .client_port = 1111}, two{.from = client(7), .client_port = 2222};
  story.tell(story.send(one, kSyn));
  story.tell(story.send(two, kSyn));
}

void switching_on_and_off(Story& story) {
  story.serve(kWeb, scheduled_by("rr"), {1, 1, 1});
  for (const ServiceSettings& settings : {persistent(300), scheduled_by("rr"), persistent(300)}) {
    story.director.edit_service(kWeb, settings);
    for (int i = 0; i < 3; ++i) story.tell(story.visit({.from = client(1)}));
  }
}

void masks(Story& story) {
  int n = 20;
  for (const std::uint32_t mask : {0xffffff00u, 0x00000000u, 0xff0000ffu}) {
    ServiceSettings settings = persistent(300);
    settings.netmask = AddressMask::v4(mask);
    const ServiceKey key = tcp_service(80, vip(n++));
    story.serve(key, settings, {1, 1, 1, 1});
    for (const std::uint32_t from : {0xc0000201u, 0xc0000202u, 0xc0010201u, 0x0a000001u}) {
      story.tell(story.visit({.from = Address::v4(from), .to = key.address}));
    }
  }
}

void ports(Story& story) {
  story.serve(tcp_service(0), persistent(300), {1, 1, 1});
  story.serve(udp_service(0), persistent(300), {1, 0, 0});
  story.serve(kWeb, persistent(300), {1});
  story.serve(tcp_service(81), persistent(300), {0, 1});
  for (const std::uint16_t port : {443, 8443, 80, 81, 444}) {
    story.tell(story.visit({.from = client(1), .port = port}));
    story.tell(std::to_string(story.last().server_port));
  }
  story.tell(story.datagram({.from = client(2), .port = 53}));
  story.tell(story.visit({.from = client(3), .port = 443}));
  story.tell(story.datagram({.from = client(3), .port = 53}));
  story.serve(tcp_service(21), persistent(300), {0, 1});
  story.tell(story.visit({.from = client(4), .port = 2121}));
  const Outcome second = story.director.add_server(kWeb, real(1, 8080), {});
  story.tell(second == Outcome::kOk ? "two servers" : "one server");
}

void marks(Story& story) {
  for (const std::uint16_t port : {80, 443, 53}) story.mark(port, 1);
  story.mark(8080, 2);
  story.mark(9090, 3);
  story.serve(mark_service(1), persistent(300), {1, 1, 1});
  story.serve(mark_service(2), persistent(300), {0, 0, 0, 1, 1});
  story.serve(mark_service(3), scheduled_by("rr"), {1, 1, 1});
  for (const std::uint16_t port : {80, 443, 8080, 80, 5000, 9090, 9090}) {
    story.tell(story.visit({.from = client(1), .port = port}));
  }
  story.tell(story.datagram({.from = client(1), .port = 53}));
  story.tell(story.visit({.from = client(1), .to = vip(11), .port = 80}));
}

void window(Story& story) {
  story.serve(kWeb, persistent(100), {1, 1, 1});
  Flow held{.from = client(1)};
  story.tell(story.open(held));
  for (int i = 0; i < 40; ++i) {
    story.elapse(10s);
    if (i < 20) story.send(held, kAck);
    if (i == 5 || i == 13 || i == 25) story.visit({.from = client(1)});
    if (i == 20) story.close(held);
    story.tell_templates();
  }
}

void idle_connection(Story& story) {
  story.serve(kWeb, scheduled_by("rr"), {1, 1, 1});
  Flow held{.from = client(1)};
  story.tell(story.open(held));
  for (const Duration idle : {Duration(500s), Duration(900s)}) {
    story.elapse(idle);
    story.tell(story.send(held, kAck));
  }
}

void short_visits(Story& story) {
  story.serve(kWeb, persistent(90000), {1, 1, 1});
  Flow flow{.from = client(1)};
  story.open(flow);
  story.send(flow, kRst);
  story.tell_templates();
  story.elapse(100s);
  story.visit({.from = client(1)});
  story.tell_templates();
  story.elapse(90000s);
  story.tell(story.visit({.from = client(1)}));
  story.elapse(200000s);
  story.tell(story.visit({.from = client(1)}));
}

void edits(Story& story) {
  story.serve(kWeb, persistent(100), {1, 1, 1});
  story.tell(story.visit({.from = client(1)}));
  story.director.edit_service(kWeb, persistent(300));
  story.tell(story.visit({.from = client(2)}));
  story.tell(story.visit({.from = client(1)}));
  story.tell_templates();
  story.elapse(10s);
  story.director.remove_server(story.now(), kWeb, real(3));
  story.director.add_server(kWeb, real(3), {});
  story.tell_templates();
  story.tell(story.visit({.from = client(1)}));
  story.director.clear(story.now());
  story.tell_templates();
}

// What a director may be told, and what it must refuse.
void orders(Story& story) {
  const auto tell = [&](Outcome outcome) { story.tell(testing::PrintToString(outcome)); };
  story.serve(kWeb, persistent(100), {1, 1, 1});
  tell(story.director.edit_service(tcp_service(81), persistent(100)));
  ServiceSettings unknown = scheduled_by("nosuch");
  tell(story.director.edit_service(kWeb, unknown));
  for (int i = 0; i < 2; ++i) story.tell(story.visit({.from = client(1)}));
  tell(story.director.add_server(kWeb, real(4), {.weight = -1}));
  tell(story.director.add_service(tcp_service(80, Address::v4(0xe0000005)), persistent(100)));
  story.director.edit_server(kWeb, real(1), {.weight = 1, .upper_threshold = 9});
  story.director.edit_server(kWeb, real(1), {.weight = 1});
  for (const RealServer* server : story.director.services()[0]->servers) {
    story.tell(name_of(server->key.address) + std::to_string(server->settings.upper_threshold));
  }
  const Packet first = packet_of({.from = client(2)}, kSyn);
  const Address chosen = story.director.handle(story.now(), first).server;
  for (int i = 1; i <= 3; ++i) {
    if (real(i).address == chosen) {
      story.director.edit_server(kWeb, real(i), {.method = ForwardMethod::kMasquerade, .weight = 1});
    }
  }
  story.tell(std::to_string(static_cast<int>(story.director.handle(story.now(), first).method)));
}

// FTP and port 0 share templates; what is left when servers and services go.
void leftovers(Story& story) {
  story.serve(tcp_service(0), persistent(300), {1, 0, 0});
  story.serve(tcp_service(21), persistent(300), {0, 1, 0});
  story.tell(story.visit({.from = client(1), .port = 21}));
  story.tell(story.visit({.from = client(1), .port = 80}));
  Flow held{.from = client(1), .port = 80, .client_port = 40000};
  story.open(held);
  story.director.remove_server(story.now(), tcp_service(21), real(2));
  story.elapse(100s);
  story.send(held, kAck);
  for (const EntryView& entry : story.connections()) story.tell(std::to_string(entry.expires_in / 1s));
  story.director.clear(story.now());
  story.tell(std::to_string(static_cast<int>(story.director.handle(story.now(), packet_of(held, kAck)).action)));
}

// A phone's call without -p, and one that a server behind NAT begins.
void calls_otherwise(Story& story) {
  const ServiceKey key = udp_service(5060);
  ServiceSettings settings = scheduled_by("rr");
  settings.engine = "sip";
  story.director.add_service(key, settings);
  for (int i = 1; i <= 2; ++i) story.director.add_server(key, real(i, 5060), {.method = ForwardMethod::kMasquerade});
  const std::string text = "INVITE sip:x SIP/2.0\r\ni: a\r\n";
  for (int i = 0; i < 2; ++i) {
    Packet packet =
        packet_of({.from = client(1), .port = 5060, .client_port = story.fresh_port(), .protocol = Protocol::kUdp});
    packet.payload = std::as_bytes(std::span(text));
    story.tell(name_of(story.director.handle(story.now(), packet).server));
  }
  Packet begun = packet_of(
      {.from = real(1).address, .to = client(2), .port = 5060, .client_port = 5060, .protocol = Protocol::kUdp});
  begun.payload = std::as_bytes(std::span(text));
  story.director.handle_reply(story.now(), begun);
  story.tell(std::to_string(story.connections().size()));
}

void server_gone(Story& story) {
  for (const Sysctls& sysctls :
       {Sysctls{}, Sysctls{.expire_nodest_conn = 1}, Sysctls{.expire_quiescent_template = 1}}) {
    Story one;
    one.director.set_sysctls(sysctls);
    one.serve(kWeb, persistent(300), {1, 1, 1});
    Flow held{.from = client(1)};
    one.tell(one.open(held));
    one.director.edit_server(kWeb, real(3), {.weight = 0});
    for (const int n : {1, 2, 3, 4}) one.tell(one.visit({.from = client(n)}));
    one.director.remove_server(one.now(), kWeb, real(3));
    one.tell(one.send(held, kAck));
    for (int i = 0; i < 4; ++i) one.tell(one.visit({.from = client(1)}));
    for (const int n : {1, 2}) one.director.remove_server(one.now(), kWeb, real(n));
    one.tell(one.visit({.from = client(5)}));
    one.tell_templates();
    story.tell(one.text());
  }
}

void full_server(Story& story) {
  story.serve(kWeb, persistent(300), {1, 1});
  story.director.edit_server(kWeb, real(2), {.upper_threshold = 2});
  for (const int n : {1, 1, 1, 2, 3}) story.tell(story.open({.from = client(n)}));
}

void port_reuse(Story& story) {
  story.serve(kWeb, persistent(300), {1, 1});
  story.serve(tcp_service(81), scheduled_by("rr"), {1, 1});
  for (const std::uint16_t port : {80, 81}) {
    Flow flow{.from = client(1), .port = port};
    story.open(flow);
    story.send(flow, kRst);
    story.elapse(5s);
    story.tell(story.open(flow));
    story.tell_templates();
  }
}

void sctp(Story& story) {
  const ServiceKey key{.protocol = Protocol::kSctp, .address = vip(), .port = 80};
  story.serve(key, scheduled_by("rr"), {1, 1});
  const auto send = [&](std::uint16_t from, SctpEvent event) {
    Packet packet = packet_of({.from = client(1), .client_port = from, .protocol = Protocol::kSctp});
    packet.sctp = {.first = event, .event = event};
    story.tell(std::to_string(static_cast<int>(story.director.handle(story.now(), packet).action)));
    for (const EntryView& entry : story.connections()) story.tell(entry.state);
  };
  send(1, SctpEvent::kInit);
  send(1, SctpEvent::kCookieEcho);
  story.director.set_sysctls({.sloppy_sctp = 1});
  send(2, SctpEvent::kCookieAck);
}

void calls(Story& story) {
  const ServiceKey key = udp_service(5060);
  ServiceSettings settings = persistent(300);
  settings.engine = "sip";
  settings.one_packet = true;
  story.serve(key, settings, {1, 1, 1});
  for (const std::string call : {"1a", "1b", "2a", "1a", "1b", "2a", "1"}) {
    const std::string text = "INVITE sip:x SIP/2.0\r\n" + (call.size() == 1 ? "" : "i: " + call.substr(1) + "\r\n");
    Packet packet = packet_of(
        {.from = client(call[0] - '0'), .port = 5060, .client_port = story.fresh_port(), .protocol = Protocol::kUdp});
    packet.payload = std::as_bytes(std::span(text));
    const Verdict verdict = story.director.handle(story.now(), packet);
    story.tell(verdict.action == Verdict::Action::kForward ? name_of(verdict.server) : "-");
  }
  story.tell_templates();
}

void ipsec(Story& story) {
  story.serve(udp_service(500), scheduled_by("rr"), {1, 1});
  story.tell(story.datagram({.from = client(1), .port = 500, .client_port = 500}));
  const Packet esp = packet_of({.from = client(1), .port = 0, .protocol = Protocol::kEsp});
  story.tell(std::to_string(static_cast<int>(story.director.handle(story.now(), esp).action)));
  // UDP behind hop-by-hop options that do nothing, and nothing behind it.
  std::vector<std::byte> frame(14 + 40 + 8 + 8);
  frame[12] = std::byte{0x86}, frame[13] = std::byte{0xdd}, frame[14] = std::byte{0x60};
  frame[19] = std::byte{16}, frame[54] = std::byte{17};
  story.tell(parse_frame(frame).has_value() ? "read" : "not read");
}

void datagrams(Story& story) {
  const ServiceKey key = udp_service(53);
  story.serve(key, scheduled_by("rr"), {1, 1, 1});
  for (const bool one_packet : {false, true}) {
    ServiceSettings settings = scheduled_by("rr");
    settings.one_packet = one_packet;
    story.director.edit_service(key, settings);
    const std::uint16_t from = one_packet ? 40000 : 40001;
    for (int i = 0; i < 3; ++i) story.tell(story.datagram({.from = client(1), .port = 53, .client_port = from}));
  }
  story.tell(story.datagram({.from = client(1), .port = 53, .client_port = 20}));
}

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

void schedulers(Story& story) {
  story.serve(kWeb, scheduled_by("wrr"), {1, 2, 3});
  story.serve(tcp_service(81), scheduled_by("wlc"), {1, 2, 3});
  story.serve(tcp_service(82), scheduled_by("rr"), {1, 1, 1});
  story.tell(story.sequence(9));
  story.tell(story.sequence(9, 81));
  story.tell(story.sequence(2, 82));
  story.director.edit_service(tcp_service(82), scheduled_by("rr"));
  story.tell(story.sequence(2, 82));
}

void counting_schedulers(Story& story) {
  std::uint16_t port = 8000;
  for (const char* scheduler : {"sed", "nq", "fo", "ovf", "lblc", "lblcr"}) {
    story.serve(tcp_service(++port), scheduled_by(scheduler), {1, 3, 2});
    for (int i = 0; i < 12; ++i) story.tell(story.open({.from = client(1), .port = port}));
    story.serve(tcp_service(++port), scheduled_by(scheduler), {1, 1, 1});
    for (int i = 0; i < 3; ++i) story.tell(story.visit({.from = client(1), .port = port}));
  }
  story.serve(tcp_service(9000), scheduled_by("wlc"), {1000, 900});
  for (int i = 0; i < 6; ++i) story.tell(story.open({.from = client(1), .port = 9000}));
  story.serve(kWeb, scheduled_by("wrr"), {1, 2, 3});
  story.tell(story.sequence(4));
  story.director.edit_server(kWeb, real(2), {.weight = 2});
  story.tell(story.sequence(4));
}

void hash_schedulers(Story& story) {
  std::uint16_t port = 8000;
  for (const char* scheduler : {"dh", "sh", "mh"}) {
    for (const SchedulerFlags flags : {SchedulerFlags{}, {.first = true}, {.second = true}}) {
      ServiceSettings settings = scheduled_by(scheduler);
      settings.flags = flags;
      story.serve(tcp_service(++port), settings, {1, 2, 3});
      for (const int weight : {2, 0}) {
        story.director.edit_server(tcp_service(port), real(2), {.weight = weight});
        for (int n = 1; n <= 8; ++n) story.tell(story.visit({.from = client(n), .port = port}));
      }
    }
  }
  ServiceKey six = tcp_service(80);
  six.family = Family::kIpv6;
  ASSERT_EQ(story.director.add_service(six, scheduled_by("sh")), Outcome::kOk);
  for (std::uint8_t n = 1; n <= 3; ++n) {
    RealServerKey key{.family = Family::kIpv6};
    key.address.bytes = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n};
    ASSERT_EQ(story.director.add_server(six, key, {}), Outcome::kOk);
  }
  for (std::uint8_t n = 1; n <= 8; ++n) {
    Packet packet = packet_of({.from = client(1)}, kSyn);
    packet.family = Family::kIpv6;
    packet.source.bytes = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n};
    story.tell(std::to_string(story.director.handle(story.now(), packet).server.bytes[15]));
  }
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

// What a master says reaches a backup, first without the service and then with it; then the backup takes over.
void state_sync(Story& story) {
  class Wire : public SyncSink {
   public:
    explicit Wire(Story& backup) : backup_(backup) {}
    void add(DirectorTime, const SyncEntry& entry) override { backup_.director.learn(backup_.now(), entry); }

   private:
    Story& backup_;
  } wire(story);
  World master;
  master.director.set_sync_master(&wire);
  master.serve(kWeb, persistent(300), {1, 1, 1});
  const auto tell_tables = [&] {
    story.tell(std::to_string(story.connections().size()));
    story.tell_templates();
  };
  Flow held{.from = client(1)};
  master.visit({.from = client(2)});
  story.serve(tcp_service(81), persistent(300), {1});
  story.tell(story.visit({.from = client(2)}));
  tell_tables();
  story.serve(kWeb, persistent(300), {1, 1, 1});
  story.tell(story.visit({.from = client(2)}));  // unbound
  master.open(held);
  tell_tables();
  story.elapse(100s);
  master.send(held, kAck);
  tell_tables();
  Sysctls sysctls;
  sysctls.sync_persist_mode = 1;
  master.director.set_sysctls(sysctls);
  master.visit({.from = client(3)});
  tell_tables();
  story.visit({.from = client(9)});  // so that rr does not happen to choose what the master chose
  for (int n = 1; n <= 3; ++n) story.tell(story.visit({.from = client(n)}));
  story.director.set_sync_backup(true);
  sysctls.backup_only = 1;
  story.director.set_sysctls(sysctls);
  story.tell(story.visit({.from = client(1)}));
  master.director.set_sync_master(nullptr);
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

// Messages that no master of ours would send now.
void messages_by_hand(Story& story) {
  story.serve(kWeb, persistent(300), {1, 1, 1});
  SyncEntry tmpl;
  tmpl.protocol = 6;
  tmpl.flags = sync_flags::kDirectRoute | sync_flags::kTemplate | sync_flags::kInactive;
  tmpl.virtual_port = tmpl.server_port = 80;
  tmpl.client = client(1);
  tmpl.virtual_address = vip();
  tmpl.server = real(1).address;
  SyncEntry connection = tmpl;
  connection.flags = sync_flags::kDirectRoute;
  connection.state = 1;
  connection.client_port = 40000;
  connection.timeout_s = 900;
  story.director.learn(story.now(), tmpl);
  story.director.learn(story.now(), connection);
  story.tell_templates();
  tmpl.server = connection.server = real(2).address;
  connection.flags |= sync_flags::kInactive;
  story.director.learn(story.now(), tmpl);
  story.director.learn(story.now(), connection);
  story.tell_templates();
  for (const EntryView& entry : story.connections()) story.tell(name_of(entry.server));
}

// The 60 s that a master grants are told: a backup that did not hear of them would forget the client.
void told_extension(Story& story) {
  class Count : public SyncSink {
   public:
    void add(DirectorTime, const SyncEntry&) override { ++said; }
    int said = 0;
  } count;
  story.director.set_sync_master(&count);
  story.serve(kWeb, persistent(100), {1});
  story.open({.from = client(1)});
  story.elapse(101s);
  story.tell(std::to_string(count.said));
  story.director.set_sysctls({.sync_refresh_period = 20});
  for (int i = 0; i < 4; ++i) story.open({.from = client(1), .client_port = static_cast<std::uint16_t>(10 + i)});
  story.tell(std::to_string(count.said));
  story.director.set_sync_master(nullptr);
}

void replies_and_errors(Story& story) {
  story.serve(kWeb, scheduled_by("rr"), {1});
  const Flow flow{.from = client(1), .client_port = 40000},
      back{.from = vip(), .to = client(1), .port = 40000, .client_port = 80};
  const auto reply = [&](TcpFlags flags) { story.director.handle_reply(story.now(), packet_of(back, flags)); };
  story.tell(story.send(flow, kSyn));
  reply({.syn = true, .ack = true});
  story.send(flow, kAck);
  story.send(flow, kFinAck);
  reply(kFinAck);
  for (const EntryView& entry : story.connections()) story.tell(entry.state);
  story.elapse(5s);  // an error does not restart the timer
  const auto quote = [&](const Flow& quoted) {
    Packet error = packet_of(quoted, kSyn);
    error.quoted = Quoted::kByError;
    story.tell(std::to_string(static_cast<int>(story.director.handle(story.now(), error).action)));
  };
  quote(flow);
  for (const EntryView& entry : story.connections()) story.tell(std::to_string(entry.expires_in / 1s));
  Sysctls sysctls = story.director.sysctls();
  sysctls.schedule_icmp = 1;
  story.director.set_sysctls(sysctls);
  quote({.from = client(2), .client_port = 40002});
}

void mixed_families(Story& story) {
  story.director.add_service(kWeb, scheduled_by("rr"));
  const RealServerKey six{.family = Family::kIpv6, .address = {{0x20, 0x01, 0x0d, 0xb8, 1}}, .port = 80};
  const Outcome outcome = story.director.add_server(kWeb, six, {.method = ForwardMethod::kTunnel});
  story.tell(testing::PrintToString(outcome));
}

void method_edited(Story& story) {
  story.serve(kWeb, scheduled_by("rr"), {1});
  const Packet first = packet_of({.from = client(1)}, kSyn);
  story.director.handle(story.now(), first);
  story.director.edit_server(kWeb, real(1), {.method = ForwardMethod::kMasquerade});
  story.send({.from = client(2)});
  story.tell(story.director.handle(story.now(), first).asks_for_destination ? "asks for the VIP"
                                                                            : "asks for the RIP");
}

// A client behind whose server is NAT says where it waits for data.
void ftp_behind_nat(Story& story) {
  story.director.add_service(tcp_service(21), scheduled_by("rr"));
  story.director.add_server(tcp_service(21), real(1, 21), {.method = ForwardMethod::kMasquerade});
  Flow control{.from = client(1), .port = 21};
  story.open(control);
  std::vector<std::byte> segment(20);
  segment[12] = std::byte{0x50};
  for (const char c : std::string_view("PORT 192,0,2,1,156,64\r\n")) segment.push_back(static_cast<std::byte>(c));
  Packet packet = packet_of(control, kAck);
  packet.payload = segment;
  story.director.handle(story.now(), packet);
  story.tell(std::to_string(story.connections().size()));
}

std::vector<std::string> tell_all(Fault fault) {
  set_fault(fault);
  std::vector<std::string> texts;
  for (const auto& plot : {stickiness,      switching_on_and_off,
                           masks,           ports,
                           marks,           window,
                           idle_connection, short_visits,
                           edits,           orders,
                           leftovers,       calls_otherwise,
                           server_gone,     full_server,
                           port_reuse,      sctp,
                           calls,           ipsec,
                           datagrams,       defences,
                           schedulers,      counting_schedulers,
                           hash_schedulers, counters,
                           state_sync,      odds_and_ends,
                           thinning,        messages_by_hand,
                           told_extension,  replies_and_errors,
                           ftp_behind_nat,  mixed_families,
                           method_edited}) {
    Story story;
    plot(story);
    texts.push_back(story.text());
  }
  set_fault(Fault::kNoFault);
  return texts;
}

class FaultTest : public testing::TestWithParam<FaultInfo> {};

TEST_P(FaultTest, ChangesWhatCanBeSeen) {
  static const auto healthy = tell_all(Fault::kNoFault);  // once: it is the same beside every fault
  EXPECT_NE(tell_all(GetParam().fault), healthy) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(Every, FaultTest, testing::ValuesIn(kFaults, kFaults + kCoreFaults), [](const auto& info) {
  std::string name(info.param.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Faults, AreManyAndNamedOnce) {
  std::vector<std::string_view> names;
  for (const FaultInfo& info : kFaults) names.push_back(info.name);
  EXPECT_GE(names.size(), 24u);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

// Some of them in plain words.

class WithFault : public testing::Test {
 protected:
  void TearDown() override { set_fault(Fault::kNoFault); }
  World world;
};

TEST_F(WithFault, NoPersistenceRotatesAClient) {
  set_fault(Fault::kNoPersistence);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
  EXPECT_TRUE(world.templates().empty());
}

TEST_F(WithFault, PccKeyWithPortSplitsPorts) {
  set_fault(Fault::kPccKeyIncludesPort);
  world.serve(tcp_service(0), persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "r3");
  EXPECT_EQ(world.visit({.from = client(1), .port = 443}), "r2");
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "r3");
}

TEST_F(WithFault, NoExtensionLosesAnActiveClient) {
  set_fault(Fault::kNoExtension);
  world.serve(kWeb, persistent(100), {1, 1, 1});
  Flow held{.from = client(1)};
  EXPECT_EQ(world.open(held), "r3");
  world.elapse(100s);
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
  EXPECT_EQ(world.send(held, kAck), "r3");
}

TEST_F(WithFault, ExtensionByTheFullTimeout) {
  set_fault(Fault::kExtensionFullTimeout);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  world.open({.from = client(1)});
  world.elapse(300s);
  EXPECT_EQ(world.template_expires_in(), 300);
}

TEST_F(WithFault, ExtensionNotStoredGivesTheWholeWindowBack) {
  set_fault(Fault::kExtensionNotStored);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  world.open({.from = client(1)});
  world.elapse(300s);
  EXPECT_EQ(world.template_expires_in(), 60);
  world.open({.from = client(1)});
  EXPECT_EQ(world.template_expires_in(), 300);
}

TEST_F(WithFault, KeyedByPositionFollowsTheSlot) {
  set_fault(Fault::kKeyedByPosition);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  world.director.add_server(kWeb, real(4), {});
  EXPECT_EQ(world.visit({.from = client(1)}), "r4");
}

TEST_F(WithFault, NotPinnedAgainBounces) {
  set_fault(Fault::kNotPinnedAgain);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  world.director.remove_server(world.now(), kWeb, real(3));
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
  EXPECT_EQ(world.visit({.from = client(1)}), "r1");
}

}  // namespace
}  // namespace lvspec::director
