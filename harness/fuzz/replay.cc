#include "harness/fuzz/replay.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "harness/fuzz/lines.h"

namespace lvspec::fuzz {
namespace {

using nlohmann::json;

constexpr std::int64_t kLongestPause = 31 * 86400;

/// In the order in which they are written.
using ordered = nlohmann::ordered_json;

struct Said {
  ordered operator()(const Command& command) const { return {{"ipvsadm", ipvsadm_line(command)}}; }
  ordered operator()(const SetSysctl& s) const { return {{"sysctl", s.name}, {"value", s.value}}; }
  ordered operator()(const SetTimeouts& s) const { return {{"timeouts", {s.tcp, s.tcp_fin, s.udp}}}; }
  ordered operator()(const SetMarks& s) const {
    ordered lines = ordered::array();
    for (const MarkRule& rule : s.rules) lines.push_back(iptables_line(rule));
    return {{"marks", lines}};
  }
  ordered operator()(const Connect& c) const {
    return {{"connect", c.client.str()}, {"to", c.target.str()}, {"shape", name_of(c.shape)}};
  }
  ordered operator()(const Segment& s) const {
    return {{"segment", s.client.str()}, {"to", s.target.str()}, {"flags", s.flags}};
  }
  ordered operator()(const Datagram& d) const { return {{"datagram", d.client.str()}, {"to", d.target.str()}}; }
  ordered operator()(const Pause& p) const { return {{"pause", p.seconds}}; }
};

/// The fields of one object, read by name; the first mistake is kept.
class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {}

  std::string text(const char* field) {
    const auto found = object_.find(field);
    if (found == object_.end() || !found->is_string()) return fail(field, "must be a text"), "";
    return found->get<std::string>();
  }
  std::int64_t number(const char* field, std::int64_t low, std::int64_t high) {
    const auto found = object_.find(field);
    if (found == object_.end()) return fail(field, "is missing"), low;
    return number(*found, field, low, high);
  }
  std::int64_t number(const json& value, const char* field, std::int64_t low, std::int64_t high) {
    const bool whole = value.is_number_integer() || value.is_number_unsigned();
    if (!whole || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high)
      return fail(field, fmt::format("must be a whole number from {} to {}", low, high)), low;
    return value.get<std::int64_t>();
  }
  Endpoint endpoint(const char* field) {
    const std::string said = text(field);
    if (error_) return {};
    const Result<Endpoint> endpoint = Endpoint::parse(said);
    if (!endpoint.ok()) return fail(field, endpoint.error().message), Endpoint{};
    return *endpoint;
  }
  /// Both ends of one conversation.
  void ends(const char* field, Endpoint* client, Endpoint* target) {
    *client = endpoint(field);
    *target = endpoint("to");
    if (client->address.family() != target->address.family()) fail("to", "is of another family than the client");
  }
  const json& array(const char* field, std::size_t size) {
    static const json kNone = json::array();
    const auto found = object_.find(field);
    if (found == object_.end() || !found->is_array() || (size != 0 && found->size() != size))
      return fail(field, size == 0 ? "must be an array" : fmt::format("must be an array of {}", size)), kNone;
    return *found;
  }
  void fail(const std::string& field, const std::string& what) {
    if (!error_) error_ = usage_error(fmt::format("{}: {}", field, what));
  }
  Result<Step> done(Step step) const {
    if (error_) return *error_;
    return step;
  }

 private:
  const json& object_;
  std::optional<Error> error_;
};

}  // namespace

ordered to_json(const Step& step) { return std::visit(Said{}, step); }

ordered to_json(const Replay& replay) {
  ordered steps = ordered::array();
  for (const Step& step : replay.program.steps) steps.push_back(to_json(step));
  return {{"lvspec_replay", kReplayVersion},
          {"title", replay.title},
          {"clause", replay.clause},
          {"seed", replay.program.seed},
          {"steps", steps}};
}

Result<Step> step_of(const json& value) {
  if (!value.is_object()) return usage_error("must be an object");
  Reader in(value);
  if (value.contains("ipvsadm")) {
    const std::string line = in.text("ipvsadm");
    Result<Command> command = parse_ipvsadm_line(line);
    if (!command.ok()) {
      in.fail("ipvsadm", command.error().message);
      return in.done(Pause{});
    }
    return in.done(*std::move(command));
  }
  if (value.contains("sysctl")) {
    SetSysctl s{in.text("sysctl"), static_cast<int>(in.number("value", -2147483647, 2147483647))};
    if (s.name.empty() || s.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos)
      in.fail("sysctl", fmt::format("\"{}\" is no name of a setting", s.name));
    return in.done(s);
  }
  if (value.contains("timeouts")) {
    const json& three = in.array("timeouts", 3);
    SetTimeouts s;
    if (three.size() == 3) {
      s.tcp = static_cast<std::uint32_t>(in.number(three[0], "timeouts", 0, kLongestPause));
      s.tcp_fin = static_cast<std::uint32_t>(in.number(three[1], "timeouts", 0, kLongestPause));
      s.udp = static_cast<std::uint32_t>(in.number(three[2], "timeouts", 0, kLongestPause));
    }
    return in.done(s);
  }
  if (value.contains("marks")) {
    SetMarks s;
    for (const json& line : in.array("marks", 0)) {
      if (!line.is_string()) {
        in.fail("marks", "must hold texts");
        break;
      }
      const Result<MarkRule> rule = parse_iptables_line(line.get<std::string>());
      if (!rule.ok()) {
        in.fail("marks", rule.error().message);
        break;
      }
      s.rules.push_back(*rule);
    }
    return in.done(s);
  }
  if (value.contains("connect")) {
    Connect c;
    in.ends("connect", &c.client, &c.target);
    const Result<Shape> shape = shape_named(in.text("shape"));
    if (!shape.ok()) {
      in.fail("shape", shape.error().message);
    } else {
      c.shape = *shape;
    }
    return in.done(c);
  }
  if (value.contains("segment")) {
    Segment s;
    in.ends("segment", &s.client, &s.target);
    s.flags = in.text("flags");
    if (s.flags.find_first_not_of("SFRPA") != std::string::npos)
      in.fail("flags", fmt::format("\"{}\" has letters that are not of SFRPA", s.flags));
    return in.done(s);
  }
  if (value.contains("datagram")) {
    Datagram d;
    in.ends("datagram", &d.client, &d.target);
    return in.done(d);
  }
  if (value.contains("pause"))
    return in.done(Pause{static_cast<std::uint32_t>(in.number("pause", 1, kLongestPause))});
  return usage_error("is no step: none of ipvsadm, sysctl, timeouts, marks, connect, segment, datagram, pause");
}

Result<Replay> replay_of(const json& value) {
  if (!value.is_object() || !value.contains("lvspec_replay")) return usage_error("no replay of lvspec");
  if (value["lvspec_replay"] != kReplayVersion)
    return usage_error(fmt::format("lvspec_replay: version {}; this program reads {}", value["lvspec_replay"].dump(),
                                   kReplayVersion));
  Replay replay;
  for (const auto& [field, into] : {std::pair("title", &replay.title), std::pair("clause", &replay.clause)}) {
    if (!value.contains(field)) continue;
    if (!value[field].is_string()) return usage_error(fmt::format("{}: must be a text", field));
    *into = value[field].get<std::string>();
  }
  if (value.contains("seed")) {
    if (!value["seed"].is_number_unsigned()) return usage_error("seed: must be a whole number from 0");
    replay.program.seed = value["seed"].get<std::uint64_t>();
  }
  if (!value.contains("steps") || !value["steps"].is_array()) return usage_error("steps: must be an array");
  for (const json& step : value["steps"]) {
    Result<Step> read = step_of(step);
    if (!read.ok()) return read.error().in(fmt::format("steps[{}]", replay.program.steps.size()));
    replay.program.steps.push_back(*std::move(read));
  }
  return replay;
}

std::string write_replay(const Replay& replay) {
  std::string text =
      fmt::format("{{\"lvspec_replay\": {},\n \"title\": {},\n \"clause\": {},\n \"seed\": {},\n \"steps\": [",
                  kReplayVersion, json(replay.title).dump(), json(replay.clause).dump(), replay.program.seed);
  const char* separator = "\n  ";
  for (const Step& step : replay.program.steps) {
    text += separator + to_json(step).dump();
    separator = ",\n  ";
  }
  return text + "\n ]}\n";
}

Result<Replay> read_replay(const std::string& text, const std::string& name) {
  json value;
  try {
    value = json::parse(text);
  } catch (const json::exception& error) {
    return usage_error(fmt::format("{}: {}", name, error.what()));
  }
  Result<Replay> replay = replay_of(value);
  if (!replay.ok()) return replay.error().in(name);
  return replay;
}

Result<Replay> read_replay_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) return usage_error(fmt::format("{}: cannot be read", path));
  std::ostringstream text;
  text << in.rdbuf();
  return read_replay(text.str(), path);
}

}  // namespace lvspec::fuzz
