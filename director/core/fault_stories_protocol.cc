// What TCP, UDP, SCTP, ICMP, IPsec, FTP and SIP packets make of a connection.

#include <string_view>

#include "director/core/fault_stories.h"

namespace lvspec::director {
namespace {

void idle_connection(Story& story) {
  story.serve(kWeb, scheduled_by("rr"), {1, 1, 1});
  Flow held{.from = client(1)};
  story.tell(story.open(held));
  for (const Duration idle : {Duration(500s), Duration(900s)}) {
    story.elapse(idle);
    story.tell(story.send(held, kAck));
  }
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

}  // namespace

std::vector<Plot> protocol_plots() {
  return {idle_connection, port_reuse, replies_and_errors, datagrams, sctp, ipsec,
          ftp_behind_nat,  calls,      calls_otherwise};
}

}  // namespace lvspec::director
