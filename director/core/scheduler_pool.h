#pragma once

// Servers r1, r2, ... of one service and nothing else, to hear what a scheduler says: for its unit tests.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "director/core/director.h"
#include "director/core/scheduler.h"
#include "director/core/service_table.h"
#include "director/core/test_world.h"

namespace lvspec::director {

class SchedulerPool {
 public:
  SchedulerPool(const std::string& scheduler, std::initializer_list<int> weights) {
    EXPECT_EQ(table_.add(kKey, scheduled_by(scheduler), now_), Outcome::kOk);
    service_ = table_.find(kKey);
    int n = 0;
    for (const int weight : weights) add(++n, weight);
  }

  void add(int n, int weight = 1) {
    EXPECT_EQ(table_.add_server(*service_, real(n), {.weight = weight}), Outcome::kOk);
  }
  void edit(int n, int weight) {
    EXPECT_EQ(table_.edit_server(*service_, real(n), {.weight = weight}), Outcome::kOk);
  }
  void remove(int n) { EXPECT_EQ(table_.remove_server(*service_, real(n)), Outcome::kOk); }
  void use(const std::string& scheduler) {
    EXPECT_EQ(table_.edit(*service_, scheduled_by(scheduler), now_), Outcome::kOk);
  }
  void overload(int n, bool overloaded) { server(n).overloaded = overloaded; }

  enum class Connections { kNone, kHeldOpen, kFinished };
  /// `count` picks, each leaving such a connection behind, as "r3 r2 -".
  std::string picks(int count, Connections connections = Connections::kNone) {
    std::string result;
    for (int i = 0; i < count; ++i) {
      RealServer* const server = service_->scheduler->pick(*service_, packet_of({.from = client(1)}), now_);
      result += (i == 0 ? "" : " ") + (server == nullptr ? "-" : name_of(server->key.address));
      if (server == nullptr || connections == Connections::kNone) continue;
      ++(connections == Connections::kHeldOpen ? server->active : server->inactive);
    }
    return result;
  }

 private:
  static inline const ServiceKey kKey = tcp_service(80);

  RealServer& server(int n) {
    for (RealServer* server : service_->servers) {
      if (server->key == real(n)) return *server;
    }
    ADD_FAILURE() << "no server r" << n;
    return *service_->servers.front();
  }

  Sysctls sysctls_;
  ServiceTable table_{sysctls_};
  DirectorTime now_{};
  VirtualService* service_ = nullptr;
};

}  // namespace lvspec::director
