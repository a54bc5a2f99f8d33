#include "harness/bench/traffic.h"

#include <sstream>
#include <utility>

namespace lvspec {
namespace {

constexpr std::chrono::seconds kBenchPatience{10};

template <typename Run>
Result<Burst> timed(const Run& run) {
  const auto start = std::chrono::steady_clock::now();
  auto answers = run();
  const auto took = std::chrono::steady_clock::now() - start;
  if (!answers.ok()) return answers.error();
  for (const Answer& answer : *answers) {
    if (answer.outcome == Outcome::kAnswered && !answer.server.empty()) continue;
    std::ostringstream text;
    text << "a connection of the benchmark: " << answer;
    return Error{text.str()};
  }
  return Burst{std::move(*answers), took};
}

}  // namespace

std::vector<Attempt> attempts(const Topology& topology, std::size_t n, const std::vector<Endpoint>& targets,
                              Close close) {
  std::vector<Attempt> all(n);
  for (std::size_t i = 0; i < n; ++i) {
    all[i].client.address = topology.client(1 + static_cast<int>(i % kBenchClients));
    all[i].target = targets[i % targets.size()];
    all[i].close = close;
    all[i].patience = kBenchPatience;
  }
  return all;
}

Result<Burst> connect(const Client& client, const std::vector<Attempt>& attempts, std::size_t in_flight) {
  return timed([&] { return client.connect_all(attempts, in_flight); });
}

Result<Burst> fetch(const Client& client, const std::vector<Attempt>& attempts, std::size_t in_flight) {
  return timed([&] { return client.http_all(attempts, "/", in_flight); });
}

}  // namespace lvspec
