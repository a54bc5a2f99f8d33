#pragma once

// A director and a small world to ask it questions from, for the unit tests of this room: clients 192.0.2.N, virtual
// addresses 198.51.100.N, real servers r1, r2, ... = 203.0.113.11, .12, ...

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "director/core/director.h"

namespace lvspec::director {

using namespace std::chrono_literals;

inline void PrintTo(Outcome outcome, std::ostream* out) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "ok",           "service exists", "no such service", "server exists", "no such server", "no such scheduler",
      "out of range", "invalid"};
  *out << kNames[static_cast<std::size_t>(outcome)];
}

inline Address client(int n) { return Address::v4(0xc0000200u + static_cast<std::uint32_t>(n)); }
inline Address vip(int n = 10) { return Address::v4(0xc6336400u + static_cast<std::uint32_t>(n)); }
inline Address rip(int n) { return Address::v4(0xcb00710au + static_cast<std::uint32_t>(n)); }

inline std::string name_of(const Address& server) {
  return "r" + std::to_string(static_cast<int>(server.v4_host_order() - rip(0).v4_host_order()));
}

inline ServiceKey tcp_service(std::uint16_t port, Address address = vip()) {
  return {.protocol = Protocol::kTcp, .address = address, .port = port};
}
inline ServiceKey udp_service(std::uint16_t port, Address address = vip()) {
  return {.protocol = Protocol::kUdp, .address = address, .port = port};
}
inline ServiceKey mark_service(std::uint32_t mark) { return {.fwmark = mark}; }
inline RealServerKey real(int n, std::uint16_t port = 0) { return {.address = rip(n), .port = port}; }

inline ServiceSettings scheduled_by(std::string scheduler) { return {.scheduler = std::move(scheduler)}; }
inline ServiceSettings persistent(std::uint32_t timeout_s, std::string scheduler = "rr") {
  return {.scheduler = std::move(scheduler), .persistent = true, .timeout_s = timeout_s};
}

/// One conversation of a client; a port of 0 for the client takes a fresh one.
struct Flow {
  Address from;
  Address to = vip();
  std::uint16_t port = 80;
  std::uint16_t client_port = 0;
  Protocol protocol = Protocol::kTcp;
};

inline Packet packet_of(const Flow& flow, TcpFlags flags = {}) {
  Packet packet;
  packet.protocol = flow.protocol;
  packet.source = flow.from;
  packet.destination = flow.to;
  packet.source_port = flow.client_port;
  packet.destination_port = flow.port;
  packet.tcp = flags;
  packet.length = 60;
  return packet;
}

inline constexpr TcpFlags kSyn{.syn = true}, kAck{.ack = true}, kFinAck{.fin = true, .ack = true}, kRst{.rst = true};

class World {
 public:
  Director director;

  /// A service with r1, r2, ..., added one by one in this order with these weights.
  void serve(const ServiceKey& key, const ServiceSettings& settings, std::initializer_list<int> weights,
             std::uint16_t port = 0) {
    ASSERT_EQ(director.add_service(key, settings), Outcome::kOk);
    int n = 0;
    for (const int weight : weights) {
      ASSERT_EQ(director.add_server(key, real(++n, port), {.weight = weight}), Outcome::kOk);
    }
  }

  DirectorTime now() const { return now_; }
  void elapse(Duration duration) { director.expire(now_ += duration); }
  void elapse_until(Duration since_start) { director.expire(now_ = DirectorTime(since_start)); }

  /// @return the server's name, or "pass", "drop", "reject".
  std::string send(const Flow& flow, TcpFlags flags = {}) {
    last_ = director.handle(now_, packet_of(flow, flags));
    switch (last_.action) {
      case Verdict::Action::kForward:
        return name_of(last_.server);
      case Verdict::Action::kPass:
        return "pass";
      case Verdict::Action::kDrop:
        return "drop";
      case Verdict::Action::kReject:
        return "reject";
    }
    return "?";
  }
  const Verdict& last() const { return last_; }

  /// A TCP connection that stays open: SYN, then the ACK of the handshake.
  std::string open(Flow& flow) {
    if (flow.client_port == 0) flow.client_port = fresh_port();
    const std::string server = send(flow, kSyn);
    if (last_.action == Verdict::Action::kForward) send(flow, kAck);
    return server;
  }
  std::string open(Flow&& flow) { return open(flow); }
  void close(const Flow& flow) { send(flow, kFinAck); }
  /// A TCP connection opened and closed at once.
  std::string visit(Flow flow) {
    const std::string server = open(flow);
    if (last_.action == Verdict::Action::kForward) close(flow);
    return server;
  }
  std::string datagram(Flow flow) {
    flow.protocol = Protocol::kUdp;
    if (flow.client_port == 0) flow.client_port = fresh_port();
    return send(flow);
  }
  /// `count` visits, each of a client that was never seen before, as "r3 r2 r1".
  std::string sequence(int count, std::uint16_t port = 80) {
    std::string result;
    for (int i = 0; i < count; ++i) {
      result += (i == 0 ? "" : " ") + visit({.from = Address::v4(0x0a000000u + ++strangers_), .port = port});
    }
    return result;
  }

  std::vector<EntryView> templates() { return select(true); }
  std::vector<EntryView> connections() { return select(false); }
  /// Whole seconds until the only template ends, as a listing shows them; -1 if there is not exactly one.
  long template_expires_in() {
    const std::vector<EntryView> all = templates();
    if (all.size() != 1) return -1;
    return static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(all[0].expires_in).count());
  }
  const RealServer& server(const ServiceKey& key, int n) {
    for (const VirtualService* service : director.services()) {
      if (!(service->key == key)) continue;
      for (const RealServer* server : service->servers) {
        if (server->key.address == rip(n)) return *server;
      }
    }
    ADD_FAILURE() << "no server r" << n;
    static const RealServer none;
    return none;
  }

  std::uint16_t fresh_port() { return next_port_++; }

 private:
  std::vector<EntryView> select(bool templates) {
    std::vector<EntryView> all = director.entries(now_);
    std::erase_if(all, [&](const EntryView& entry) { return entry.is_template != templates; });
    return all;
  }

  DirectorTime now_{};
  Verdict last_;
  std::uint16_t next_port_ = 40000;
  std::uint32_t strangers_ = 0;
};

}  // namespace lvspec::director
