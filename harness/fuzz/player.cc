#include "harness/fuzz/player.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <string_view>
#include <utility>

#include "harness/fuzz/wire.h"
#include "harness/ipvs/kernel_clock.h"
#include "harness/ipvs/proc_tables.h"

namespace lvspec::fuzz {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

nanoseconds coarse_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

class KernelPace : public Pace {
 public:
  KernelPace() : tick_(tick_of(kernel_hz())) {}

  Result<std::int64_t> before_acting(DirectorUnderTest& director, std::size_t, std::uint32_t pause) override {
    if (offset_ == 0) LVSPEC_TRY(find_offset(director));
    if (pause != 0) LVSPEC_TRY(director.advance(seconds(pause)));
    LVSPEC_TRY(next_tick(director));
    return now();
  }
  /// What a deletion leaves to a work queue "in a tick" is done in the next but one (VAL-21), and then the worker has
  /// to run.
  Result<std::int64_t> before_looking(DirectorUnderTest& director, std::size_t) override {
    LVSPEC_TRY(director.advance(2 * tick_));
    LVSPEC_TRY(next_tick(director));
    return now();
  }
  std::int64_t now() const override { return coarse_now() / tick_ + offset_; }

 private:
  /// Until the kernel has counted a tick: its coarse clock moves then, and only then.
  Status next_tick(DirectorUnderTest& director) {
    const nanoseconds before = coarse_now();
    do LVSPEC_TRY(director.advance(tick_));
    while (coarse_now() == before);
    return {};
  }
  /// What jiffies were when the coarse clock was zero. Source: Linux kernel/time/timer_list.c.
  Status find_offset(DirectorUnderTest& director) {
    for (int attempt = 0; attempt < 10; ++attempt) {
      LVSPEC_TRY(next_tick(director));
      const nanoseconds before = coarse_now();
      LVSPEC_ASSIGN(const std::string text, read_proc_file("/proc/timer_list"));
      if (coarse_now() != before) continue;
      const auto at = text.find("\njiffies: ");
      if (at == std::string::npos) return Error{"/proc/timer_list does not tell jiffies"};
      offset_ = std::strtoll(text.c_str() + at + 10, nullptr, 10) - before / tick_;
      return {};
    }
    return Error{"a tick passes whenever /proc/timer_list is read"};
  }

  nanoseconds tick_;
  std::int64_t offset_ = 0;
};

/// A director that is told the time.
class ToldPace : public Pace {
 public:
  explicit ToldPace(int hz) : tick_(tick_of(hz)) {}
  std::int64_t now() const override { return now_; }

 protected:
  Result<std::int64_t> move_to(DirectorUnderTest& director, std::int64_t tick) {
    if (tick < now_) return Error{fmt::format("tick {} comes after {}", tick, now_)};
    if (tick > now_) LVSPEC_TRY(director.advance((tick - now_) * tick_));
    return now_ = tick;
  }
  nanoseconds tick_;

 private:
  std::int64_t now_ = 0;
};

class FollowingPace : public ToldPace {
 public:
  FollowingPace(Record leader, int hz) : ToldPace(hz), leader_(std::move(leader)) {}
  Result<std::int64_t> before_acting(DirectorUnderTest& director, std::size_t i, std::uint32_t) override {
    return move_to(director, leader_.steps.at(i).acted_at);
  }
  Result<std::int64_t> before_looking(DirectorUnderTest& director, std::size_t i) override {
    return move_to(director, leader_.steps.at(i).looked_at);
  }

 private:
  Record leader_;
};

class SteadyPace : public ToldPace {
 public:
  explicit SteadyPace(int hz) : ToldPace(hz) {}
  Result<std::int64_t> before_acting(DirectorUnderTest& director, std::size_t, std::uint32_t pause) override {
    return move_to(director, now() + 1 + seconds(pause) / tick_);
  }
  Result<std::int64_t> before_looking(DirectorUnderTest& director, std::size_t) override {
    return move_to(director, now() + 1);
  }
};

/// A refusal in the words that all directors share (ADM-50..58).
std::string refusal(const Error& error) {
  for (const char* words :
       {"Service already exists", "No such service", "Destination already exists", "No such destination",
        "Scheduler or persistence engine not found", "Numerical result out of range", "Invalid operation"})
    if (error.message.find(words) != std::string::npos) return fmt::format("refused: {}", words);
  return (error.kind == ErrorKind::kUnsupported ? "unsupported: " : "refused: ") + error.message;
}

/// Carries out the steps of one program.
class Player {
 public:
  Player(DirectorUnderTest& director, Wire& wire) : director_(director), wire_(wire) {}

  /// Error: the world's. What the director does is in outcome().
  Status operator()(const Command& command) {
    return order(std::visit([this](const auto& c) { return carry_out(c); }, command));
  }
  Status operator()(const SetSysctl& s) { return order(director_.set_sysctl(s.name, s.value)); }
  Status operator()(const SetTimeouts& s) { return order(director_.set_timeouts(s.tcp, s.tcp_fin, s.udp)); }
  Status operator()(const SetMarks& s) { return order(director_.set_marks(s.rules)); }
  Status operator()(const Pause&) { return {}; }

  Status operator()(const Connect& c) {
    using namespace tcp_flags;
    constexpr std::uint8_t kPush = kPsh | kAck, kEnd = kFin | kAck;
    LVSPEC_TRY(wire_.send_tcp(c.client, c.target, kSyn, 0));
    LVSPEC_TRY(see());
    if (outcome_.empty() || !outcome_.front().starts_with("real") || c.shape == Shape::kSyn) return {};
    static const std::array<std::vector<std::uint8_t>, kShapes> kRest = {{
        {},                               // SYN
        {kAck},                           // stays open
        {kAck, kEnd, kAck},               // nothing said
        {kAck, kPush, kEnd, kAck},        // client first
        {kAck, kPush, kAck, kEnd},        // server first: its FIN is acknowledged, then answered
        {kAck, kPush, kEnd, kAck, kAck},  // half close
        {kAck, kPush, kRst},              // reset
    }};
    std::uint32_t seq = 1;
    for (const std::uint8_t flags : kRest.at(static_cast<std::size_t>(c.shape))) {
      const std::string payload = (flags & kPsh) != 0 ? "WHO\n" : "";
      LVSPEC_TRY(wire_.send_tcp(c.client, c.target, flags, seq, payload));
      seq += static_cast<std::uint32_t>(payload.size()) + ((flags & kFin) != 0 ? 1 : 0);
    }
    return see();
  }
  Status operator()(const Segment& s) {
    std::uint8_t flags = 0;
    for (const char letter : s.flags)
      flags |= letter == 'S'   ? tcp_flags::kSyn
               : letter == 'F' ? tcp_flags::kFin
               : letter == 'R' ? tcp_flags::kRst
               : letter == 'P' ? tcp_flags::kPsh
                               : tcp_flags::kAck;
    LVSPEC_TRY(wire_.send_tcp(s.client, s.target, flags, 100, (flags & tcp_flags::kPsh) != 0 ? "WHO\n" : ""));
    return see();
  }
  Status operator()(const Datagram& d) {
    LVSPEC_TRY(wire_.send_udp(d.client, d.target, "WHO\n"));
    return see();
  }

  std::vector<std::string> take_outcome() { return std::exchange(outcome_, {}); }

 private:
  Status carry_out(const AddService& c) { return director_.add_service(c.service); }
  Status carry_out(const EditService& c) { return director_.edit_service(c.service); }
  Status carry_out(const DeleteService& c) { return director_.remove_service(c.service); }
  Status carry_out(const AddServer& c) { return director_.add_server(c.service, c.server); }
  Status carry_out(const EditServer& c) { return director_.edit_server(c.service, c.server); }
  Status carry_out(const DeleteServer& c) { return director_.remove_server(c.service, {c.address, c.port}); }
  Status carry_out(const ClearServices&) { return director_.clear(); }

  /// What a director refuses is an outcome; what the world refuses is an error.
  Status order(const Status& status) {
    if (status.ok()) return {};
    if (status.error().kind == ErrorKind::kWorld) return status;
    outcome_.push_back(refusal(status.error()));
    return {};
  }
  Status see() {
    LVSPEC_ASSIGN(const std::vector<std::string> seen, wire_.settle(director_));
    outcome_.insert(outcome_.end(), seen.begin(), seen.end());
    return {};
  }

  DirectorUnderTest& director_;
  Wire& wire_;
  std::vector<std::string> outcome_;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void write_down(const Tables& tables, StepRecord* record) {
  std::vector<const ServiceState*> services;
  for (const ServiceState& service : tables.services) services.push_back(&service);
  // By hash in a kernel (NLK-05), by age elsewhere; what the servers' order says is the list, and that is kept.
  std::sort(services.begin(), services.end(),
            [](const ServiceState* a, const ServiceState* b) { return a->service.id < b->service.id; });
  for (const ServiceState* service : services) {
    const std::string title = service->service.title();
    record->services.push_back(title);
    record->counts.push_back(fmt::format("{} conns {}", service->service.id.str(), service->connections));
    for (const ServerState& server : service->servers) {
      record->services.push_back(fmt::format("  {} active {} inactive {} persistent {}", server.server.str(),
                                             server.active, server.inactive, server.persistent));
      record->counts.push_back(fmt::format("{} {} conns {}", service->service.id.str(),
                                           server.server.endpoint().str(), server.connections));
    }
  }
  for (const Entry& entry : tables.entries)
    record->entries.push_back(fmt::format("{} {} {} {} {} {}{}", entry.protocol, entry.client.str(),
                                          entry.target.str(), entry.server.str(), entry.state,
                                          std::chrono::duration_cast<seconds>(entry.expires_in).count(),
                                          entry.is_template ? " template" : ""));
  std::sort(record->entries.begin(), record->entries.end());
}

}  // namespace

std::unique_ptr<Pace> kernel_pace() { return std::make_unique<KernelPace>(); }
std::unique_ptr<Pace> pace_of(Record leader, int hz) {
  return std::make_unique<FollowingPace>(std::move(leader), hz);
}
std::unique_ptr<Pace> steady_pace(int hz) { return std::make_unique<SteadyPace>(hz); }

Result<Record> play(const Program& program, const DirectorFactory& factory, Pace& pace) {
  LVSPEC_ASSIGN(World world, Wire::build_world(factory.place));
  LVSPEC_ASSIGN(Wire wire, Wire::open(world));
  const Topology& topology = world.topology();
  DirectorSite site;
  site.netns = &world.director().netns;
  if (factory.place == DirectorPlace::kInline) site.stack_interface = world.stack_port().name;
  site.addresses = {topology.director(AF_INET), topology.director(AF_INET6)};
  site.addresses.insert(site.addresses.end(), topology.vips.begin(), topology.vips.end());
  LVSPEC_ASSIGN(const std::unique_ptr<DirectorUnderTest> director, factory.start(site));

  Record record;
  Player player(*director, wire);
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    const Pause* const pause = std::get_if<Pause>(&step);
    StepRecord now;
    const Status carried_out = [&]() -> Status {
      LVSPEC_ASSIGN(now.acted_at, pace.before_acting(*director, i, pause != nullptr ? pause->seconds : 0));
      LVSPEC_TRY(std::visit(player, step));
      now.outcome = player.take_outcome();
      now.blurred = pace.now() != now.acted_at;
      LVSPEC_ASSIGN(now.looked_at, pace.before_looking(*director, i));
      LVSPEC_ASSIGN(const Tables tables, director->tables());
      now.blurred = now.blurred || pace.now() != now.looked_at;
      write_down(tables, &now);
      return {};
    }();
    if (!carried_out.ok()) now.outcome = {"died: " + first_line(carried_out.error().message)};
    record.steps.push_back(std::move(now));
    if (!carried_out.ok() || record.steps.back().blurred) break;
  }
  return record;
}

}  // namespace lvspec::fuzz
