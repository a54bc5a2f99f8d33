#pragma once

// Servers r1, r2, ... of one service and nothing else, to hear what a scheduler says: for its unit tests.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "director/core/director.h"
#include "director/core/scheduler.h"
#include "director/core/service_table.h"
#include "director/core/test_world.h"

namespace lvspec::director {

class SchedulerPool {
 public:
  SchedulerPool(const std::string& scheduler, std::initializer_list<int> weights)
      : SchedulerPool(scheduler, weights, real(1)) {}
  /// The first server is `first`; the others have the addresses after it, and its port.
  SchedulerPool(const std::string& scheduler, std::initializer_list<int> weights, const RealServerKey& first)
      : first_(first), key_{.family = first.family, .protocol = Protocol::kTcp, .port = 80} {
    EXPECT_EQ(table_.add(key_, scheduled_by(scheduler)), Outcome::kOk);
    service_ = table_.find(key_);
    int n = 0;
    for (const int weight : weights) add(++n, weight);
  }

  void add(int n, int weight = 1) {
    EXPECT_EQ(table_.add_server(*service_, key_of(n), {.weight = weight}), Outcome::kOk);
  }
  void edit(int n, int weight) {
    EXPECT_EQ(table_.edit_server(*service_, key_of(n), {.weight = weight}), Outcome::kOk);
  }
  void remove(int n) { EXPECT_EQ(table_.remove_server(*service_, key_of(n)), Outcome::kOk); }
  void use(const std::string& scheduler, SchedulerFlags flags = {}) {
    ServiceSettings settings = scheduled_by(scheduler);
    settings.flags = flags;
    EXPECT_EQ(table_.edit(*service_, settings), Outcome::kOk);
  }
  void overload(int n, bool overloaded) { server(n).overloaded = overloaded; }
  void elapse(Duration duration) {
    now_ += duration;
    while (table_.trash_check().deadline <= wheel_.horizon(now_)) table_.check_trash();
  }

  /// The server for this packet, "r3", or "-".
  std::string pick(const Packet& packet) { return name_of(pick_server(packet)); }

  enum class Connections { kNone, kHeldOpen, kFinished };
  /// `count` picks, each leaving such a connection behind, as "r3 r2 -".
  std::string picks(int count, Connections connections = Connections::kNone) {
    std::string result;
    for (int i = 0; i < count; ++i) {
      RealServer* const server = pick_server(packet_of({.from = client(1)}));
      result += (i == 0 ? "" : " ") + name_of(server);
      if (server == nullptr || connections == Connections::kNone) continue;
      ++(connections == Connections::kHeldOpen ? server->active : server->inactive);
    }
    return result;
  }
  /// One pick for each of the clients 10.0.0.`from` to 10.0.0.`to`.
  std::string picks_for_clients(int from, int to) {
    std::string result;
    for (int n = from; n <= to; ++n) {
      const Address address = Address::v4(0x0a000000u + static_cast<std::uint32_t>(n));
      result += (n == from ? "" : " ") + pick(packet_of({.from = address}));
    }
    return result;
  }

  Sysctls& sysctls() { return sysctls_; }
  RealServer& server(int n) {
    for (RealServer* server : service_->servers) {
      if (server->key == key_of(n)) return *server;
    }
    ADD_FAILURE() << "no server r" << n;
    return *service_->servers.front();
  }

 private:
  RealServer* pick_server(const Packet& packet) { return service_->scheduler->pick(*service_, packet, now_); }

  RealServerKey key_of(int n) const {
    RealServerKey key = first_;
    key.address.bytes[key.family == Family::kIpv4 ? 3 : 15] += static_cast<std::uint8_t>(n - 1);
    return key;
  }
  std::string name_of(const RealServer* server) const {
    if (server == nullptr) return "-";
    const std::size_t last = first_.family == Family::kIpv4 ? 3 : 15;
    return "r" + std::to_string(server->key.address.bytes[last] - first_.address.bytes[last] + 1);
  }

  RealServerKey first_;
  ServiceKey key_;
  Sysctls sysctls_;
  EstimationTimer estimation_;
  TimerWheel wheel_;
  std::uint32_t armings_ = 0;
  DirectorTime now_{};
  ServiceTable table_{
      {.sysctls = sysctls_, .estimation = estimation_, .wheel = wheel_, .now = now_, .armings = armings_}};
  VirtualService* service_ = nullptr;
};

}  // namespace lvspec::director
