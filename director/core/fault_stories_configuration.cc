// Orders while clients are there: services and servers are edited, fill up, and go.

#include "director/core/fault_stories.h"

namespace lvspec::director {
namespace {

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

}  // namespace

std::vector<Plot> configuration_plots() {
  return {edits, orders, leftovers, server_gone, full_server, mixed_families, method_edited};
}

}  // namespace lvspec::director
