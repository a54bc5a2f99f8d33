// Whom each scheduler chooses.

#include "director/core/fault_stories.h"

namespace lvspec::director {
namespace {

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

}  // namespace

std::vector<Plot> scheduler_plots() { return {schedulers, counting_schedulers, hash_schedulers}; }

}  // namespace lvspec::director
