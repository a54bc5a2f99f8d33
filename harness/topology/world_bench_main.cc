// lvspec_world_bench [--no-script] [ROUNDS [N...]]: World::build() against bare rtnetlink and the `ip netns` script.
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "harness/netns/namespace.h"
#include "harness/topology/world_bench.h"

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool script = arguments.empty() || arguments.front() != "--no-script";
  if (!script) arguments.erase(arguments.begin());
  std::vector<int> numbers;
  for (const std::string& argument : arguments) numbers.push_back(std::atoi(argument.c_str()));
  const int rounds = numbers.empty() ? 5 : numbers.front();
  std::vector<int> servers = {3, 10, 100};
  if (numbers.size() > 1) servers.assign(numbers.begin() + 1, numbers.end());
  if (rounds < 1) {
    std::cerr << "usage: lvspec_world_bench [--no-script] [ROUNDS [N...]]\n";
    return 2;
  }
  if (const auto able = lvspec::become_able_to_create_namespaces(); !able.ok()) {
    std::cerr << able.error().message << '\n';
    return 1;
  }
  const auto rows = lvspec::bench_worlds(rounds, servers, script);
  if (!rows.ok()) {
    std::cerr << rows.error().message << '\n';
    return 1;
  }
  for (const lvspec::BenchRow& row : *rows) std::cout << row << '\n';
}
