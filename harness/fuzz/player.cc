#include "harness/fuzz/player.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "harness/fuzz/wire.h"
#include "harness/ipvs/kernel_clock.h"
#include "harness/ipvs/proc_tables.h"

namespace lvspec::fuzz {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

nanoseconds monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

/// The number behind `label` in a text.
Result<std::int64_t> number_behind(const std::string& text, const std::string& label) {
  const auto at = text.find(label);
  const auto digit = at == std::string::npos ? at : text.find_first_of("0123456789", at + label.size());
  if (digit == std::string::npos) return Error{fmt::format("/proc/timer_list does not tell {}:\n{}", label, text)};
  return std::strtoll(text.c_str() + digit, nullptr, 10);
}

/// Acts and looks in the middle of ticks, where neither work that takes its time nor an interrupt that comes late can
/// put it into another one.
class KernelPace : public Pace {
 public:
  KernelPace() : tick_(tick_of(kernel_hz())) {}

  Result<std::int64_t> before_birth() override {
    LVSPEC_TRY(find_ticks());
    return middle_of(now() + 1);
  }
  Status after_birth(DirectorUnderTest&) override { return {}; }
  Result<std::int64_t> before_acting(DirectorUnderTest&, std::size_t, std::uint32_t pause) override {
    return middle_of(now() + 1 + seconds(pause) / tick_);
  }
  /// What a deletion leaves to a work queue "in a tick" is done in the next but one (VAL-21), and then the worker has
  /// to run.
  Result<std::int64_t> before_looking(DirectorUnderTest&, std::size_t) override { return middle_of(now() + 3); }
  std::int64_t now() const override { return (monotonic_now() - boundary_) / tick_ + first_jiffy_; }

 private:
  Result<std::int64_t> middle_of(std::int64_t jiffy) {
    const nanoseconds at = boundary_ + (jiffy - first_jiffy_) * tick_ + tick_ / 2;
    const timespec until{.tv_sec = at / seconds(1), .tv_nsec = (at % seconds(1)).count()};
    int error = 0;
    while ((error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr)) == EINTR) {
    }
    if (error != 0) return system_error("clock_nanosleep(CLOCK_MONOTONIC)", error);
    return jiffy;
  }
  /// When ticks begin, and what jiffies then were. Source: Linux kernel/time/timer_list.c, print_cpu();
  /// tick-sched.c, tick_do_update_jiffies64().
  Status find_ticks() {
    LVSPEC_ASSIGN(std::string text, read_proc_file("/proc/timer_list"));
    LVSPEC_ASSIGN(const std::int64_t last_tick, number_behind(text, ".last_tick"));
    boundary_ = nanoseconds(last_tick);
    for (int attempt = 0; attempt < 10; ++attempt) {
      LVSPEC_TRY(middle_of((monotonic_now() - boundary_) / tick_ + 1));
      const std::int64_t before = now();
      LVSPEC_ASSIGN(text, read_proc_file("/proc/timer_list"));
      if (now() != before) continue;
      LVSPEC_ASSIGN(const std::int64_t jiffies, number_behind(text, "\njiffies"));
      first_jiffy_ = jiffies - before;
      return {};
    }
    return Error{"a tick passes whenever /proc/timer_list is read"};
  }

  nanoseconds tick_;
  nanoseconds boundary_{0};       // a moment at which a tick began
  std::int64_t first_jiffy_ = 0;  // what jiffies were then
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
  FollowingPace(Record leader, int hz) : ToldPace(hz), leader_(std::move(leader)) {
    // A kernel's ticks do not begin at zero. Whole granules of the outermost level of its timer wheel change nothing
    // for timers, and a director that counts from zero has less to catch up with.
    constexpr std::int64_t kOutermostGranule = std::int64_t{1} << 21;
    base_ = leader_.born_at / kOutermostGranule * kOutermostGranule;
  }
  Result<std::int64_t> before_birth() override { return leader_.born_at - base_; }
  Status after_birth(DirectorUnderTest& director) override {
    LVSPEC_TRY(move_to(director, leader_.born_at - base_));
    return {};
  }
  Result<std::int64_t> before_acting(DirectorUnderTest& director, std::size_t i, std::uint32_t) override {
    return move_to(director, leader_.steps.at(i).acted_at - base_);
  }
  Result<std::int64_t> before_looking(DirectorUnderTest& director, std::size_t i) override {
    return move_to(director, leader_.steps.at(i).looked_at - base_);
  }

 private:
  Record leader_;
  std::int64_t base_ = 0;
};

class SteadyPace : public ToldPace {
 public:
  explicit SteadyPace(int hz) : ToldPace(hz) {}
  Result<std::int64_t> before_birth() override { return 1; }
  Status after_birth(DirectorUnderTest& director) override {
    LVSPEC_TRY(move_to(director, 1));
    return {};
  }
  Result<std::int64_t> before_acting(DirectorUnderTest& director, std::size_t, std::uint32_t pause) override {
    return move_to(director, now() + 1 + seconds(pause) / tick_);
  }
  Result<std::int64_t> before_looking(DirectorUnderTest& director, std::size_t) override {
    return move_to(director, now() + 1);
  }
};

/// A refusal in the words that all directors share (ADM-50..58). Of a missing service ipvsadm says one thing or the
/// other, by the command.
std::string refusal(const Error& error) {
  if (error.message.find("Service not defined") != std::string::npos) return "refused: No such service";
  for (const char* words :
       {"Service already exists", "No such service", "Destination already exists", "No such destination",
        "Scheduler or persistence engine not found", "Numerical result out of range", "Invalid operation"})
    if (error.message.find(words) != std::string::npos) return fmt::format("refused: {}", words);
  return (error.kind == ErrorKind::kUnsupported ? "unsupported: " : "refused: ") + error.message;
}

std::uint8_t flags_of(std::string_view letters) {
  std::uint8_t flags = 0;
  for (const char letter : letters)
    flags |= letter == 'S'   ? tcp_flags::kSyn
             : letter == 'F' ? tcp_flags::kFin
             : letter == 'R' ? tcp_flags::kRst
             : letter == 'P' ? tcp_flags::kPsh
                             : tcp_flags::kAck;
  return flags;
}

std::string payload_of(std::uint8_t flags) { return (flags & tcp_flags::kPsh) != 0 ? "WHO\n" : ""; }

/// What client and server send after the SYN has arrived: three letters a move, who and the flags. In the order of
/// enum Shape.
constexpr std::array<const char*, kShapes> kMoves = {
    "",                             // a SYN alone
    "sSAcA ",                       // stays open
    "sSAcA cFAsFAcA ",              // nothing said
    "sSAcA cPAsPAcFAsFAcA ",        // the client closes first
    "sSAcA cPAsFAcA cFAsA ",        // the server closes first
    "sSAcA cPAcFAsA sPAcA sFAcA ",  // the client's half is closed while the server goes on
    "sSAcA cPAcR ",                 // reset
};

constexpr int kBirths = 5;

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
    LVSPEC_TRY(wire_.send_tcp(c.client, c.target, tcp_flags::kSyn, 0));
    LVSPEC_ASSIGN(const std::optional<Wire::Sight> arrived, see());
    if (!arrived || c.shape == Shape::kSyn) return {};
    for (const char* move = kMoves.at(static_cast<std::size_t>(c.shape)); *move != 0; move += 3) {
      const std::uint8_t flags = flags_of(std::string(move + 1, move[2] == ' ' ? 1 : 2));
      if (move[0] == 'c') LVSPEC_TRY(wire_.send_tcp(c.client, c.target, flags, 1, payload_of(flags)));
      if (move[0] == 's') LVSPEC_TRY(reply(*arrived, c.target, flags));
      // Both directions pass the director, so the order of what comes out is that of what went in only move by move.
      if (passes_director(*arrived, c.target)) {
        LVSPEC_ASSIGN(const auto ignored, see());
      }
    }
    LVSPEC_ASSIGN(const auto ignored, see());
    return {};
  }
  Status operator()(const Segment& s) {
    const std::uint8_t flags = flags_of(s.flags);
    LVSPEC_TRY(wire_.send_tcp(s.client, s.target, flags, 100, payload_of(flags)));
    LVSPEC_ASSIGN(const std::optional<Wire::Sight> arrived, see());
    if (!arrived || (flags & tcp_flags::kRst) != 0) return {};
    const bool syn = (flags & tcp_flags::kSyn) != 0, fin = (flags & tcp_flags::kFin) != 0;
    LVSPEC_TRY(reply(*arrived, s.target, flags_of(syn ? "SA" : fin ? "FA" : "A")));
    LVSPEC_ASSIGN(const auto ignored, see());
    return {};
  }
  Status operator()(const Datagram& d) {
    LVSPEC_TRY(wire_.send_udp(d.client, d.target, "WHO\n"));
    LVSPEC_ASSIGN(const std::optional<Wire::Sight> arrived, see());
    if (!arrived || !passes_director(*arrived, d.target)) return {};
    LVSPEC_TRY(wire_.reply_udp(arrived->server, arrived->target, arrived->source, "real\n"));
    LVSPEC_ASSIGN(const auto ignored, see());
    return {};
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
  /// @return what a real server got first, if one got something.
  Result<std::optional<Wire::Sight>> see() {
    LVSPEC_ASSIGN(const std::vector<Wire::Sight> seen, wire_.settle(director_));
    std::optional<Wire::Sight> arrived;
    for (const Wire::Sight& sight : seen) {
      outcome_.push_back(sight.text);
      if (sight.server != 0 && !arrived) arrived = sight;
    }
    return arrived;
  }
  /// Behind NAT a real server's answer goes back through the director; otherwise the director never sees it.
  static bool passes_director(const Wire::Sight& arrived, const Endpoint& target) {
    return arrived.target.port != 0 && arrived.target.address != target.address;
  }
  Status reply(const Wire::Sight& arrived, const Endpoint& target, std::uint8_t flags) {
    if (!passes_director(arrived, target)) return {};
    return wire_.reply_tcp(arrived.server, arrived.target, arrived.source, flags, 1);
  }

  DirectorUnderTest& director_;
  Wire& wire_;
  std::vector<std::string> outcome_;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// What --stats shows of a service or a server.
template <typename State>
std::string counts_of(const State& state) {
  const Traffic& traffic = state.traffic;
  return fmt::format(" conns {} in {}/{} out {}/{}", state.connections, traffic.in_packets, traffic.in_bytes,
                     traffic.out_packets, traffic.out_bytes);
}

void write_down(const Tables& tables, StepRecord* record) {
  std::vector<const ServiceState*> services;
  for (const ServiceState& service : tables.services) services.push_back(&service);
  // By hash in a kernel (NLK-05), by age elsewhere; what the servers' order says is the list, and that is kept.
  std::sort(services.begin(), services.end(),
            [](const ServiceState* a, const ServiceState* b) { return a->service.id < b->service.id; });
  for (const ServiceState* service : services) {
    const std::string title = service->service.title();
    record->services.push_back(title);
    record->counts.push_back(service->service.id.str() + counts_of(*service));
    for (const ServerState& server : service->servers) {
      record->services.push_back(fmt::format("  {} active {} inactive {} persistent {}", server.server.str(),
                                             server.active, server.inactive, server.persistent));
      record->counts.push_back(service->service.id.str() + " " + server.server.endpoint().str() + counts_of(server));
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
  Record record;
  std::optional<World> built;
  // A kernel's namespace must have come into being in the tick that we say.
  for (int attempt = 0; attempt < kBirths && (!built || pace.now() > record.born_at); ++attempt) {
    LVSPEC_ASSIGN(record.born_at, pace.before_birth());
    LVSPEC_ASSIGN(built, Wire::build_world(factory.place));
  }
  World& world = *built;
  LVSPEC_ASSIGN(Wire wire, Wire::open(world));
  const Topology& topology = world.topology();
  DirectorSite site;
  site.netns = &world.director().netns;
  if (factory.place == DirectorPlace::kInline) {
    site.stack_interface = world.stack_port().name;
    site.stack_netns = &world.director_stack();
  }
  site.addresses = {topology.director(AF_INET), topology.director(AF_INET6)};
  site.addresses.insert(site.addresses.end(), topology.vips.begin(), topology.vips.end());
  LVSPEC_ASSIGN(const std::unique_ptr<DirectorUnderTest> director, factory.start(site));

  LVSPEC_TRY(pace.after_birth(*director));

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
