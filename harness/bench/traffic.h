#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/probe/client.h"
#include "harness/topology/topology.h"

namespace lvspec {

/// How many source addresses the benchmarks use.
inline constexpr int kBenchClients = 200;
/// How many connections of one thread are open at once, as with wrk -c32.
inline constexpr std::size_t kBenchInFlight = 32;

/// n attempts; source addresses and targets each take turns. Patience is long: on a busy machine a late answer is
/// slow, not silence.
std::vector<Attempt> attempts(const Topology& topology, std::size_t n, const std::vector<Endpoint>& targets,
                              Close close);

/// What a run of attempts came to.
struct Burst {
  std::vector<Answer> answers;
  std::chrono::duration<double> took{};

  double per_second() const { return static_cast<double>(answers.size()) / took.count(); }
};

/// By Client::connect_all, or by Client::http_all. Error: an attempt that no real server answered, as it prints.
Result<Burst> connect(const Client& client, const std::vector<Attempt>& attempts, std::size_t in_flight);
Result<Burst> fetch(const Client& client, const std::vector<Attempt>& attempts, std::size_t in_flight);

/// By Client::connect_all on several threads at once, each with its share of the attempts and with `in_flight` of its
/// own: as many as there are CPUs leave none idle, so that what carries the traffic is the bottleneck and not who
/// asks for it. The answers are in the order of the attempts. Error: as connect().
Result<Burst> connect_on_threads(const Client& client, const std::vector<Attempt>& attempts, std::size_t in_flight,
                                 std::size_t threads);

}  // namespace lvspec
