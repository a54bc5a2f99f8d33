#include "harness/bench/traffic.h"

#include <algorithm>
#include <future>
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

Result<Burst> connect_on_threads(const Client& client, const std::vector<Attempt>& attempts, std::size_t in_flight,
                                 std::size_t threads) {
  LVSPEC_CHECK(threads > 0);
  return timed([&]() -> Result<std::vector<Answer>> {
    std::vector<std::vector<Attempt>> shares(threads);
    for (std::size_t i = 0; i < attempts.size(); ++i) shares[i % threads].push_back(attempts[i]);
    std::vector<std::future<Result<std::vector<Answer>>>> asked;
    for (const std::vector<Attempt>& share : shares) {
      asked.push_back(std::async(std::launch::async, [&] { return client.connect_all(share, in_flight); }));
    }
    std::vector<Answer> answers(attempts.size());
    for (std::size_t t = 0; t < threads; ++t) {
      LVSPEC_ASSIGN(std::vector<Answer> some, asked[t].get());
      for (std::size_t i = 0; i < some.size(); ++i) answers[t + i * threads] = std::move(some[i]);
    }
    return answers;
  });
}

Result<Burst> fetch(const Client& client, const std::vector<Attempt>& attempts, std::size_t in_flight) {
  return timed([&] { return client.http_all(attempts, "/", in_flight); });
}

}  // namespace lvspec
