// What a template is keyed by, how long it lives, and what else it controls.

#include "director/core/fault_stories.h"

namespace lvspec::director {
namespace {

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

}  // namespace

std::vector<Plot> persistence_plots() {
  return {stickiness, switching_on_and_off, masks, ports, marks, window, short_visits};
}

}  // namespace lvspec::director
