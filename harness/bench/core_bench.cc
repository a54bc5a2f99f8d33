#include "harness/bench/core_bench.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <unordered_map>

#include "director/core/conn_table.h"
#include "director/core/director.h"
#include "director/table/pages.h"
#include "harness/base/check.h"

namespace lvspec {
namespace {

using director::Address;
using director::ConnEntry;
using director::ConnKey;
using director::ConnTable;
using director::Director;
using director::DirectorTime;
using director::Packet;
using director::Protocol;
using director::RealServer;
using std::chrono::seconds;

constexpr std::uint32_t kFirstClient = 0x0a000000;
const Address kVirtualAddress = Address::v4(0xc633640a);
constexpr std::size_t kLookups = 1'000'000;
constexpr std::size_t kTimersInCache = 64;

/// CPU time of this thread, so that other programs cost it only their share of cache and memory.
double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double ns_each(std::size_t times, const std::function<void()>& work) {
  const double start = cpu_ns();
  work();
  return (cpu_ns() - start) / static_cast<double>(times);
}

/// Bytes of memory that this process really has.
double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// Numbers below n in an order that no prefetcher guesses. What the last access gave goes into the next number, so
/// that no access begins before the one before it is done.
class Wanderer {
 public:
  explicit Wanderer(std::size_t n) : n_(n) {}
  std::uint32_t next(std::uint64_t from_last_access) {
    state_ = (state_ + from_last_access) * 6364136223846793005 + 1442695040888963407;
    return static_cast<std::uint32_t>((state_ >> 32) * n_ >> 32);
  }

 private:
  std::uint64_t n_, state_ = 1;
};

ConnKey template_of(std::uint32_t n) {
  return {.protocol = Protocol::kTcp,
          .is_template = true,
          .client_port = 0,
          .virtual_port = 443,
          .client = Address::v4(kFirstClient + n),
          .virtual_address = kVirtualAddress};
}
ConnKey connection_of(std::uint32_t n) {
  return {.protocol = Protocol::kTcp,
          .is_template = false,
          .client_port = static_cast<std::uint16_t>(40000 + n % 16384),
          .virtual_port = 443,
          .client = Address::v4(kFirstClient + n),
          .virtual_address = kVirtualAddress};
}

/// What one would write with the standard library: no more than lookup and renewal need.
struct PlainKey {
  std::uint32_t client, virtual_address;
  std::uint16_t virtual_port;
  Protocol protocol;
  bool operator==(const PlainKey&) const = default;
};
struct PlainHash {
  std::size_t operator()(const PlainKey& key) const {
    const std::uint64_t value = (std::uint64_t{key.client} << 32 | key.virtual_address) * 0x9e3779b97f4a7c15 +
                                key.virtual_port + static_cast<std::uint64_t>(key.protocol);
    return (value ^ value >> 32) * 0x9e3779b97f4a7c15 >> 8;
  }
};
struct PlainTemplate {
  RealServer* server;
  std::int64_t deadline;
  std::uint32_t timeout_s, zero;
};
using PlainTable = std::unordered_map<PlainKey, PlainTemplate, PlainHash>;

PlainKey plain(std::uint32_t n) { return {kFirstClient + n, 0xc633640a, 443, Protocol::kTcp}; }

/// Memory of as many bytes as the table, in huge pages if there are any, full of zeros that the compiler does not
/// know of.
class Memory {
 public:
  explicit Memory(std::size_t bytes) : pages_(bytes), lines_(bytes / kLine) {
    for (std::size_t i = 0; i < lines_; ++i) pages_.data()[i * kLine] = static_cast<std::byte>(getpid() < 0);
  }
  std::uint64_t at(std::size_t line) const {
    return std::to_integer<std::uint64_t>(*static_cast<volatile std::byte*>(&pages_.data()[line * kLine]));
  }
  std::size_t lines() const { return lines_; }

 private:
  static constexpr std::size_t kLine = 64;
  table::Pages pages_;
  std::size_t lines_;
};

Packet packet_of(std::uint32_t n, director::TcpFlags flags) {
  Packet packet;
  packet.protocol = Protocol::kTcp;
  packet.source = Address::v4(kFirstClient + n);
  packet.destination = kVirtualAddress;
  packet.source_port = static_cast<std::uint16_t>(40000 + n % 16384);
  packet.destination_port = 443;
  packet.tcp = flags;
  packet.length = 60;
  return packet;
}

constexpr director::TcpFlags kSyn{.syn = true}, kAck{.ack = true};

}  // namespace

Comparison bench_table(int rounds, std::size_t entries) {
  const std::string kTable = "table", kMap = "unordered_map", kMiss = "one dependent access";
  const std::string kLookup = "template lookup, ns", kInsert = "template insertion, ns",
                    kBytes = "bytes a template (resident)", kBytesConnection = "bytes a connection (resident)",
                    kRearm = "re-arming a timer, entry in cache, ns", kExpire = "expiry of a template, ns";
  Comparison comparison(
      "core", fmt::format("{} templates; lookups depend each on the one before; rounds: {}", entries, rounds));
  RealServer server;
  // A large table is built once; what is measured by building it has one round.
  const int builds = entries > 1'000'000 ? 1 : rounds;

  for (int build = 0; build < builds; ++build) {
    const double before = resident_bytes();
    ConnTable table(entries);
    for (std::uint32_t n = 0; n < entries; ++n) {
      ConnEntry& entry = *table.create(connection_of(n), server, 443);
      entry.timeout = seconds(900);
      table.arm(entry, DirectorTime(std::chrono::nanoseconds(n)));
    }
    if (entries >= 1'000'000)
      comparison.record(kTable, kBytesConnection, (resident_bytes() - before) / static_cast<double>(entries));
  }

  std::unique_ptr<ConnTable> table;
  std::unique_ptr<PlainTable> map;
  for (int build = 0; build < builds; ++build) {
    table.reset();
    map.reset();
    const double at_first = resident_bytes();
    table = std::make_unique<ConnTable>(entries);
    comparison.record(kTable, kInsert, ns_each(entries, [&] {
                        for (std::uint32_t n = 0; n < entries; ++n) {
                          ConnEntry& entry = *table->create(template_of(n), server, 443);
                          entry.timeout = seconds(300);
                          table->arm(entry, DirectorTime(std::chrono::nanoseconds(n)));
                        }
                      }));
    const double with_table = resident_bytes();
    map = std::make_unique<PlainTable>();
    map->reserve(entries);
    comparison.record(kMap, kInsert, ns_each(entries, [&] {
                        for (std::uint32_t n = 0; n < entries; ++n)
                          map->emplace(plain(n), PlainTemplate{&server, n + 300'000'000'000, 300, 0});
                      }));
    if (entries < 1'000'000) continue;  // too few to be seen above the rest of the process
    comparison.record(kTable, kBytes, (with_table - at_first) / static_cast<double>(entries));
    comparison.record(kMap, kBytes, (resident_bytes() - with_table) / static_cast<double>(entries));
  }

  const Memory memory(entries * 62);
  std::vector<ConnEntry*> some;
  Wanderer wanderer(entries);
  for (std::size_t i = 0; i < kTimersInCache; ++i) some.push_back(table->find(template_of(wanderer.next(0))));
  DirectorTime now{std::chrono::nanoseconds(entries)};
  for (int round = 0; round < rounds; ++round) {
    std::uint64_t zero = 0;
    comparison.record(kTable, kLookup, ns_each(kLookups, [&] {
                        for (std::size_t i = 0; i < kLookups; ++i)
                          zero = table->find(template_of(wanderer.next(zero)))->fwmark;
                      }));
    comparison.record(kMap, kLookup, ns_each(kLookups, [&] {
                        for (std::size_t i = 0; i < kLookups; ++i)
                          zero = map->find(plain(wanderer.next(zero)))->second.zero;
                      }));
    Wanderer walker(memory.lines());
    comparison.record(kMiss, kLookup, ns_each(kLookups, [&] {
                        for (std::size_t i = 0; i < kLookups; ++i) zero = memory.at(walker.next(zero));
                      }));
    LVSPEC_CHECK(zero == 0);
    comparison.record(kTable, kRearm, ns_each(kLookups, [&] {
                        for (std::size_t i = 0; i < kLookups; ++i) {
                          now += std::chrono::nanoseconds(1);
                          table->arm(*some[i % kTimersInCache], now);
                        }
                      }));
  }
  comparison.record(kTable, kExpire,
                    ns_each(entries, [&] { LVSPEC_CHECK_EQ(table->fire(now + seconds(301)), entries); }));

  comparison.compare(kLookup, kTable, kMap);
  if (entries >= 10'000'000)
    comparison.compare(kLookup, kTable, kMiss, at_most(1.3));
  else
    comparison.compare(kLookup, kTable, kMiss);
  comparison.compare(kInsert, kTable, kMap);
  comparison.require(kRearm, kTable, at_most(5));
  if (entries >= 1'000'000) {
    comparison.require(kBytes, kTable, at_most(64));
    comparison.require(kBytesConnection, kTable, at_most(128));
  }
  return comparison;
}

Comparison bench_decisions(int rounds, std::size_t connections) {
  const std::string kDirector = "bundled";
  Comparison comparison("decide", fmt::format("{} connections and as many templates; packets of clients in random "
                                              "order; rounds: {}",
                                              connections, rounds));
  for (int round = 0; round < rounds; ++round) {
    Director core(2 * connections);
    const director::ServiceKey service{.protocol = Protocol::kTcp, .address = kVirtualAddress, .port = 443};
    core.add_service(service, {.scheduler = "rr", .persistent = true, .timeout_s = 300});
    for (std::uint32_t n = 1; n <= 3; ++n) core.add_server(service, {.address = Address::v4(0xcb007100 + n)}, {});
    DirectorTime now{};
    // Odd strides visit every client once, and none next to the last.
    const auto each_client = [&](const char* what, std::uint16_t port_offset, director::TcpFlags flags) {
      comparison.record(kDirector, what, ns_each(connections, [&] {
                          std::uint32_t n = 0;
                          for (std::size_t i = 0; i < connections; ++i) {
                            n = static_cast<std::uint32_t>((n + 7'368'787ull) % connections);
                            Packet packet = packet_of(n, flags);
                            packet.source_port = static_cast<std::uint16_t>(packet.source_port + port_offset);
                            now += std::chrono::nanoseconds(100);
                            LVSPEC_CHECK(core.handle(now, packet).action == director::Verdict::Action::kForward);
                          }
                        }));
    };
    each_client("first packet, without template, ns", 0, kSyn);
    each_client("known connection, ns", 0, kAck);
    each_client("first packet, with template, ns", 1, kSyn);
  }
  return comparison;
}

}  // namespace lvspec
