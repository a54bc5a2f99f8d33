#include "harness/fuzz/sides.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "harness/fuzz/replay.h"
#include "harness/fuzz/wire.h"
#include "harness/lab/uml/guest_init.h"
#include "harness/lab/uml/uml_guest.h"
#include "harness/process/child.h"

namespace lvspec::fuzz {
namespace {

/// Half a tick of the guest, in which a step has to be done, is a second and a half of ours.
constexpr int kBusy = 300;
constexpr int kMoreAttempts = 3;

Status write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) return Error{fmt::format("{}: cannot be written", path)};
  return {};
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{fmt::format("{}: cannot be read", path)};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Result<std::vector<Record>> read_record_file(const std::string& path) {
  LVSPEC_ASSIGN(const std::string text, read_file(path));
  Result<std::vector<Record>> records = read_records(text);
  if (!records.ok()) return records.error().in(path);
  return records;
}

/// A program a line.
std::string write_programs(const std::vector<Program>& programs) {
  std::string text;
  for (const Program& program : programs) text += to_json(Replay{"", "", program}).dump() + "\n";
  return text;
}

Result<std::vector<Program>> read_programs(const std::string& path) {
  std::ifstream in(path);
  std::vector<Program> programs;
  for (std::string line; std::getline(in, line);) {
    LVSPEC_ASSIGN(Replay replay, read_replay(line, fmt::format("{}:{}", path, programs.size() + 1)));
    programs.push_back(std::move(replay.program));
  }
  return programs;
}

Status run_in_guest(std::vector<std::string> args, const Stage& stage) {
  UmlOptions options;
  options.init = stage.program;
  options.args = std::move(args);
  options.writable_dir = stage.scratch;
  options.time_limit = stage.time_limit;
  options.busy = kBusy;
  LVSPEC_ASSIGN(UmlGuest guest, UmlGuest::start(std::move(options)));
  LVSPEC_ASSIGN(const GuestExit end, guest.wait());
  if (end.status != 0) return Error{fmt::format("the guest ended with {}: {}", end.status, guest.log())};
  return {};
}

Status run_here(std::vector<std::string> args, const Stage& stage) {
  args.insert(args.begin(), stage.program);
  LVSPEC_ASSIGN(Child child, Child::start({.argv = std::move(args), .fds = {}, .environment = {}}));
  if (!child.wait(stage.time_limit)) return Error{fmt::format("the player hangs: {}", child.output())};
  if (child.status_text() != "exited with 0")
    return Error{fmt::format("the player {}: {}", child.status_text(), child.output())};
  return {};
}

Status play_all(const FileOrders& orders, const DirectorFactory& director) {
  LVSPEC_ASSIGN(std::vector<Program> programs, read_programs(orders.programs));
  std::vector<Record> leader;
  if (!orders.leader.empty()) {
    LVSPEC_ASSIGN(leader, read_record_file(orders.leader));
    if (leader.size() != programs.size())
      return Error{fmt::format("{} programs, but {} records", programs.size(), leader.size())};
  }
  // The first world of a guest takes longer, and in its first seconds a kernel still changes clocks; but the tick in
  // which a namespace is made has to be known. Idle seconds of a guest cost nothing.
  if (orders.side.director == "ipvs") {
    LVSPEC_TRY(Wire::build_world(director.place));
    std::this_thread::sleep_for(std::chrono::seconds(10));
  }
  std::vector<Record> records;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    std::unique_ptr<Pace> pace;
    if (orders.side.director == "ipvs") {
      pace = kernel_pace();
    } else if (leader.empty()) {
      pace = steady_pace(kHz);
    } else {
      programs[i].steps.resize(leader[i].steps.size());
      pace = pace_of(std::move(leader[i]), kHz);
    }
    LVSPEC_ASSIGN(Record record, play(programs[i], director, *pace));
    // A machine that holds up the guest that long in the middle of a step may not do so again. The director that
    // follows has no such trouble.
    for (int again = 0; again < kMoreAttempts && !record.steps.empty() && record.steps.back().blurred; ++again) {
      LVSPEC_ASSIGN(record, play(programs[i], director, *pace));
    }
    records.push_back(std::move(record));
  }
  return write_file(orders.records, write_records(records));
}

}  // namespace

Result<std::vector<Record>> play_on(const Side& side, const std::vector<Program>& programs,
                                    const std::vector<Record>* leader, const Stage& stage) {
  const std::string in = stage.scratch + "/" + side.director + ".programs";
  const std::string out = stage.scratch + "/" + side.director + ".records";
  const std::string lead = stage.scratch + "/" + side.director + ".leader";
  LVSPEC_TRY(write_file(in, write_programs(programs)));
  std::vector<std::string> args = {"fuzz-player", "--director", side.director, "--programs", in, "--records", out};
  if (!side.fault.empty()) args.insert(args.end(), {"--fault", side.fault});
  if (side.director == "ipvs") {
    LVSPEC_TRY(run_in_guest(std::move(args), stage));
  } else {
    if (leader != nullptr) {
      LVSPEC_TRY(write_file(lead, write_records(*leader)));
      args.insert(args.end(), {"--leader", lead});
    }
    LVSPEC_TRY(run_here(std::move(args), stage));
  }
  LVSPEC_ASSIGN(std::vector<Record> records, read_record_file(out));
  if (records.size() != programs.size())
    return Error{
        fmt::format("{}: {} programs were played, {} came back", side.director, programs.size(), records.size())};
  return records;
}

int play_file(const FileOrders& orders, const DirectorFactory& director) {
  const auto body = [&] {
    const Status status = play_all(orders, director);
    if (status.ok()) return 0;
    fmt::print("{}\n", status.error().message);
    std::fflush(stdout);
    return 4;
  };
  if (is_guest_init()) run_guest_init({}, body);
  if (const Status able = become_able_to_create_namespaces(); !able.ok()) {
    fmt::print("{}\n", able.error().message);
    return 4;
  }
  return body();
}

}  // namespace lvspec::fuzz
