// The passport of a director: what its persistence is, found by discovery and not by verdict. Every answer comes from
// clients alone, so that it can be had from any director: whoever is remembered reaches real1, whoever is scheduled
// anew reaches real2, always (`fo` takes the heavier server, SCH-40), so that no answer is luck.

#include <algorithm>
#include <map>

#include "suites/support.h"

namespace lvspec {
namespace {

using std::chrono::seconds;

constexpr std::uint16_t kPort = 80;

class Passport : public testing::DirectorTest {
 protected:
  void say(const std::string& property, const std::string& value, std::map<std::string, std::string> parts = {}) {
    measured(Measurement{"passport", {{"property", property}}, value, std::move(parts)});
  }

  /// real1 alone, for those who are to be remembered there.
  static VirtualService first_only(const Bench& bench, VirtualService service) {
    service.scheduler = "fo";
    service.servers = {server(bench, service.id, "real1", 1)};
    return service;
  }
  /// From now on newcomers go to real2.
  static Status open_second(Bench& bench, const ServiceId& id) {
    return bench.add_server(id, server(bench, id, "real2", 100));
  }
  static VirtualService both(const Bench& bench, VirtualService service) {
    service = first_only(bench, std::move(service));
    service.servers.push_back(server(bench, service.id, "real2", 100));
    return service;
  }
  static RealServer server(const Bench& bench, const ServiceId& id, const std::string& name, int weight) {
    RealServer server;
    server.address = bench.rip_of(name);
    server.port = id.is_mark() ? 0 : id.port;
    server.weight = weight;
    return server;
  }

  static bool kept(const Answer& answer) { return answer.server == "real1"; }
  /// `yes` for the remembered, `no` for those scheduled anew; anything else is told as it is.
  static std::string word(const Answer& answer, const std::string& yes, const std::string& no) {
    if (answer.server == "real1") return yes;
    if (answer.server == "real2") return no;
    std::ostringstream out;
    out << answer.outcome;
    return out.str();
  }
};

std::string in_seconds(seconds time) { return std::to_string(time.count()) + " s"; }

/// One-shot sources: each connects when the window starts and once more, at an offset of its own.
struct Curve {
  std::string property;
  seconds window;
  Protocol protocol;
  Close close;
  std::vector<seconds> offsets;  ///< ascending; none where a kernel's granule decides (TIM-02)
};

const std::vector<Curve>& curves() {
  static const auto kTcp = Protocol::kTcp;
  static const std::vector<Curve> curves = {
      {"window: -p 5", 5s, kTcp, Close::kClientFirst, {4s, 6s, 12s, 30s, 60s, 90s, 119s, 202s, 260s}},
      {"window: -p 10", 10s, kTcp, Close::kClientFirst, {9s, 12s, 30s, 60s, 72s, 90s, 119s, 142s, 200s}},
      {"window: -p 60", 60s, kTcp, Close::kClientFirst, {30s, 59s, 66s, 90s, 119s, 200s, 260s}},
      {"window: -p 300", 300s, kTcp, Close::kClientFirst, {60s, 150s, 240s, 299s, 312s, 380s}},
      {"window: -p 600", 600s, kTcp, Close::kClientFirst, {150s, 300s, 450s, 599s, 650s, 700s}},
      {"floor: -p 10, FIN", 10s, kTcp, Close::kClientFirst, {60s, 119s, 142s}},
      {"floor: -p 5, RST", 5s, kTcp, Close::kReset, {4s, 64s, 72s}},
      {"floor: -p 10, datagram", 10s, Protocol::kUdp, Close::kReset, {60s, 180s, 299s, 340s}}};
  return curves;
}

std::string told(const Curve& curve, const std::vector<bool>& kept) {
  std::string text;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i > 0 && kept[i] == kept[i - 1]) continue;
    const std::size_t end = static_cast<std::size_t>(
        std::find(kept.begin() + static_cast<std::ptrdiff_t>(i), kept.end(), !kept[i]) - kept.begin());
    if (!text.empty()) text += ", ";
    text += kept[i] ? "kept to " + in_seconds(curve.offsets[end - 1]) : "gone from " + in_seconds(curve.offsets[i]);
  }
  return text;
}

LVSPEC_CASE(Passport, Window,
            {.id = "passport.window",
             .claim = "How long one connection keeps a client, as a curve, for several -p and ways to close.",
             .level = Level::kInfo,
             .clauses = {"TPL-30", "TPL-34", "TPL-36", "TIM-02"},
             .field_reports = {"FR-04", "FR-05"},
             .profiles = {Profile::kIpvs, Profile::kAffinity}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(60).real_servers(
                                        2, {.tcp = {80, 81, 82, 83, 84, 85, 86}, .udp = {87}})));
  struct Visit {
    seconds at;
    std::size_t curve, place;
    int client;
  };
  std::vector<Visit> visits;
  int client = 0;
  const auto port_of = [](std::size_t curve) { return static_cast<std::uint16_t>(kPort + curve); };
  const auto visit = [&](const Visit& who) {
    const Curve& curve = curves()[who.curve];
    BenchClient from = bench.client(who.client);
    return curve.protocol == Protocol::kTcp ? from.connect(kVip, port_of(who.curve), curve.close)
                                            : from.udp(kVip, port_of(who.curve));
  };
  for (std::size_t i = 0; i < curves().size(); ++i) {
    const Curve& curve = curves()[i];
    ASSERT_OK(bench.add(first_only(
        bench, (curve.protocol == Protocol::kTcp ? TcpService(kVip, port_of(i)) : UdpService(kVip, port_of(i)))
                   .persistent(curve.window))));
    for (std::size_t place = 0; place < curve.offsets.size(); ++place)
      visits.push_back({curve.offsets[place], i, place, ++client});
  }
  for (const Visit& who : visits) ASSERT_THAT(visit(who), ServedBy("real1"));
  for (std::size_t i = 0; i < curves().size(); ++i)
    ASSERT_OK(open_second(bench, ServiceId::of(curves()[i].protocol, kVip, port_of(i))));

  std::stable_sort(visits.begin(), visits.end(), [](const Visit& a, const Visit& b) { return a.at < b.at; });
  std::vector<std::vector<bool>> kept_at(curves().size());
  for (std::size_t i = 0; i < curves().size(); ++i) kept_at[i].resize(curves()[i].offsets.size());
  seconds now{0};
  for (const Visit& who : visits) {
    if (who.at > now) bench.elapse(who.at - now);
    now = who.at;
    kept_at[who.curve][who.place] = kept(visit(who));
  }
  for (std::size_t i = 0; i < curves().size(); ++i) {
    std::string points;
    for (std::size_t place = 0; place < kept_at[i].size(); ++place)
      points += (points.empty() ? "" : " ") + std::to_string(curves()[i].offsets[place].count()) +
                (kept_at[i][place] ? "+" : "-");
    say(curves()[i].property, told(curves()[i], kept_at[i]), {{"points", points}});
  }
  measured("the curves are in the passport");
}

LVSPEC_CASE(Passport, Renewal,
            {.id = "passport.renewal",
             .claim = "What starts a client's window and what renews it.",
             .level = Level::kInfo,
             .clauses = {"TPL-30", "TPL-31", "TPL-35", "TPL-43"},
             .field_reports = {"FR-16", "FR-17", "FR-18"},
             .profiles = {Profile::kIpvs, Profile::kAffinity}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(9).real_servers(2, {.tcp = {80, 81}})));
  const VirtualService service = first_only(bench, TcpService(kVip, kPort).persistent(300s));
  const VirtualService brief = first_only(bench, TcpService(kVip, 81).persistent(100s));
  ASSERT_OK(bench.add(service));
  ASSERT_OK(bench.add(brief));
  const auto come = [&](int client, std::uint16_t port = kPort) {
    return bench.client(client).connect(kVip, port, Close::kReset);
  };
  BenchClient lone = bench.mute_client(1), again = bench.mute_client(2);
  ASSERT_THAT(come(1), ServedBy("real1"));  // comes anew
  ASSERT_THAT(come(2), ServedBy("real1"));  // stays away
  Connection busy = bench.client(3).hold(kVip, kPort);
  ASSERT_THAT(come(4, 81), ServedBy("real1"));
  Connection longer = bench.client(5).hold(kVip, 81);
  lone.syn(kVip, kPort, 40001);
  again.syn(kVip, kPort, 40001);
  ASSERT_OK(open_second(bench, service.id));
  ASSERT_OK(open_second(bench, brief.id));

  seconds now{0};
  const auto at = [&](seconds time) {
    bench.elapse(time - now);
    now = time;
  };
  for (const auto time : {50s, 100s}) {
    at(time);
    again.syn(kVip, kPort, 40001);
  }
  at(110s);
  longer.close(Close::kReset).ok();  // beyond its window of 100 s
  at(130s);
  say("window starts with", word(lone.syn(kVip, kPort, 40002), "the first SYN", "more than a lone SYN"));
  const Answer extended = come(5, 81);
  at(150s);
  again.syn(kVip, kPort, 40001);
  at(200s);
  again.syn(kVip, kPort, 40001);
  say("window after an extension, -p 100",
      kept(extended) ? word(come(5, 81), "more than 70 s", "at most 70 s") : "the extension ended at once");
  at(230s);
  again.syn(kVip, kPort, 40001);
  at(250s);
  come(1);
  const Answer said = busy.say_again();
  at(255s);
  busy.close(Close::kReset).ok();
  at(330s);
  const Answer away = come(2);
  say("window without renewal, -p 300", word(away, "lasts beyond 330 s", "is over at 330 s"));
  const auto renewed = [&](const Answer& answer) {
    return kept(away) ? "not measured: the window has no end" : word(answer, "yes", "no");
  };
  say("window renewed by a new connection", renewed(come(1)));
  say("window renewed by packets of a connection",
      said.server == "real1" ? renewed(come(3)) : "not measured: the connection did not last");
  say("window renewed by a SYN on a port in use", renewed(again.syn(kVip, kPort, 40009)));
  measured("the answers are in the passport");
}

LVSPEC_CASE(Passport, Key,
            {.id = "passport.key",
             .claim = "What a director knows a client by: one thing is varied at a time.",
             .level = Level::kInfo,
             .clauses = {"TPL-03", "TPL-05", "TPL-06", "TPL-07", "TPL-10"},
             .field_reports = {"FR-38", "FR-42", "FR-45", "FR-55"},
             .profiles = {Profile::kIpvs, Profile::kAffinity}}) {
  ASSERT_OK_AND_ASSIGN(
      Bench bench,
      build(BenchPlan()
                .clients(9)
                .vips({kVip, kSecondVip})
                .real_servers(2, {.tcp = {80, 81, 82, 8080, 443, 90, 91, 92, 93}, .udp = {80, 82, 90, 93}})));
  BenchClient client = bench.client(1);
  const auto yes_no = [&](const std::string& property, const Answer& answer) {
    say(property, word(answer, "not in the key", "in the key"));
  };
  // A one-port service, and everything else that differs from it in one thing.
  const VirtualService base = first_only(bench, TcpService(kVip, 80).persistent(300s));
  ASSERT_OK(bench.add(base));
  ASSERT_THAT(client.connect(kVip, 80, Close::kClientFirst, 41001), ServedBy("real1"));
  ASSERT_OK(open_second(bench, base.id));
  ASSERT_OK(bench.add(both(bench, TcpService(kSecondVip, 80).persistent(300s))));
  ASSERT_OK(bench.add(both(bench, TcpService(kVip, 81).persistent(300s))));
  ASSERT_OK(bench.add(both(bench, UdpService(kVip, 80).persistent(300s))));
  yes_no("key: source port", client.connect(kVip, 80, Close::kClientFirst, 41002));
  yes_no("key: source address", bench.client(2).connect(kVip, 80));
  yes_no("key: virtual address", client.connect(kSecondVip, 80));
  yes_no("key: port", client.connect(kVip, 81));
  yes_no("key: protocol", client.udp(kVip, 80));
  ASSERT_OK(bench.clear());

  // Mask: a network of four addresses.
  VirtualService masked = first_only(bench, TcpService(kVip, 82).persistent(300s).mask("255.255.255.252"));
  ASSERT_OK(bench.add(masked));
  ASSERT_THAT(client.connect(kVip, 82), ServedBy("real1"));
  ASSERT_OK(open_second(bench, masked.id));
  say("mask 255.255.255.252: neighbour in the network",
      word(bench.client(2).connect(kVip, 82), "kept", "on its own"));
  say("mask 255.255.255.252: client outside it", word(bench.client(5).connect(kVip, 82), "kept", "on its own"));
  ASSERT_OK(bench.clear());

  // Marks 1 and 2: what a mark gathers, and whether one mark knows the other's clients.
  const auto rule = [](std::uint32_t mark, const IpAddress& vip, Protocol protocol, std::uint16_t port) {
    MarkRule rule;
    rule.destination = Prefix{vip, 32};
    rule.protocol = protocol;
    rule.destination_ports = {{port, port}};
    rule.mark = mark;
    return rule;
  };
  ASSERT_OK(bench.set_marks({rule(1, kVip, Protocol::kTcp, 90), rule(1, kVip, Protocol::kTcp, 91),
                             rule(1, kSecondVip, Protocol::kTcp, 90), rule(1, kVip, Protocol::kUdp, 90),
                             rule(2, kVip, Protocol::kTcp, 92)}));
  const VirtualService mark = first_only(bench, MarkService(1).persistent(300s));
  ASSERT_OK(bench.add(mark));
  ASSERT_THAT(client.connect(kVip, 90), ServedBy("real1"));
  ASSERT_OK(open_second(bench, mark.id));
  ASSERT_OK(bench.add(both(bench, MarkService(2).persistent(300s))));
  yes_no("key of a mark: port", client.connect(kVip, 91));
  yes_no("key of a mark: virtual address", client.connect(kSecondVip, 90));
  yes_no("key of a mark: protocol", client.udp(kVip, 90));
  yes_no("key of a mark: mark", client.connect(kVip, 92));
  yes_no("key of a mark: source address", bench.client(2).connect(kVip, 90));
  ASSERT_OK(bench.clear());

  // Port 0, beside an exact service.
  const VirtualService any = first_only(bench, TcpService(kVip, 0).persistent(300s));
  ASSERT_OK(bench.add(any));
  ASSERT_THAT(bench.client(3).connect(kVip, 443), ServedBy("real1"));
  ASSERT_OK(open_second(bench, any.id));
  ASSERT_OK(bench.add(both(bench, UdpService(kVip, 0).persistent(300s))));
  ASSERT_OK(bench.add(both(bench, TcpService(kVip, 93).persistent(300s))));
  BenchClient third = bench.client(3);
  yes_no("key of port 0: port", third.connect(kVip, 8080));
  yes_no("key of port 0: protocol", third.udp(kVip, 93));
  say("port 0 takes a port with a service of its own", word(third.connect(kVip, 93), "yes", "no"));
  measured("the answers are in the passport");
}

LVSPEC_CASE(
    Passport, Policy,
    {.id = "passport.policy",
     .claim = "What becomes of a remembered client when its server is drained, removed, brought back or full, "
              "and when its service is edited or reloaded.",
     .level = Level::kInfo,
     .clauses = {"VAL-01", "VAL-02", "VAL-06", "VAL-07", "DST-22", "EDT-10", "EDT-11"},
     .field_reports = {"FR-61", "FR-64", "FR-90", "FR-119"},
     .profiles = {Profile::kIpvs, Profile::kAffinity}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(9).real_servers(2)));
  const VirtualService service = TcpService(kVip, kPort).persistent(300s);
  int next_client = 0;
  // A client of its own for each question, remembered at real1.
  const auto remembered = [&]() {
    BenchClient client = bench.client(++next_client);
    must(bench.clear());
    must(bench.add(first_only(bench, service)));
    if (!kept(client.connect(kVip, kPort))) throw WorldError(Error{"the client was not served by its only server"});
    must(open_second(bench, service.id));
    return client;
  };
  const auto judge = [&](const std::string& property, BenchClient client) {
    say(property, word(client.connect(kVip, kPort), "kept", "moved"));
  };
  const auto weigh = [&](int weight) {
    return bench.edit_server(service.id, server(bench, service.id, "real1", weight));
  };
  const Endpoint real1{bench.rip(1), kPort};
  /// An order that a director refuses, or does not carry out, leaves a gap in its passport and not in the others.
  const auto obeyed = [&](const std::string& property, const Status& order) {
    if (order.ok()) return true;
    if (order.error().kind != ErrorKind::kUnsupported && order.error().kind != ErrorKind::kDirector) must(order);
    say(property, "not to be had");
    bench.note(order.error().message);
    return false;
  };

  BenchClient client = remembered();
  if (const char* property = "policy: server at weight 0"; obeyed(property, weigh(0))) judge(property, client);

  client = remembered();
  ASSERT_OK(bench.remove_server(service.id, real1));
  judge("policy: server removed", client);
  ASSERT_OK(bench.add_server(service.id, server(bench, service.id, "real1", 1)));
  say("policy: server back after the client was moved", word(client.connect(kVip, kPort), "returns", "stays"));

  client = remembered();
  ASSERT_OK(bench.remove_server(service.id, real1));
  ASSERT_OK(bench.add_server(service.id, server(bench, service.id, "real1", 1)));
  judge("policy: server removed and back unseen", client);

  client = remembered();
  RealServer full = server(bench, service.id, "real1", 1);
  full.upper = 1;
  if (const char* property = "policy: server over its threshold";
      obeyed(property, bench.edit_server(service.id, full))) {
    Connection held = client.hold(kVip, kPort);
    judge(property, client);
  }

  client = remembered();
  VirtualService edited = both(bench, service);
  edited.persistent_s = 600;
  edited.scheduler = "wlc";
  if (const char* property = "survives: edit of window and scheduler"; obeyed(property, bench.edit(edited)))
    judge(property, client);

  client = remembered();
  edited.scheduler = "fo";
  ASSERT_OK(bench.edit(edited));
  bench.elapse(330s);
  say("window of a client from before an edit to -p 600",
      word(client.connect(kVip, kPort), "the new one", "the old one"));

  client = remembered();
  ASSERT_OK(bench.clear());
  ASSERT_OK(bench.add(both(bench, service)));
  EXPECT_THAT(bench.client(++next_client).connect(kVip, kPort), ServedBy("real2"));
  judge("survives: clear and reload", client);
  measured("the answers are in the passport");
}

LVSPEC_CASE(Passport, FailOver,
            {.id = "passport.fail-over",
             .claim = "Whether clients are remembered after a fail-over to a standby.",
             .level = Level::kInfo,
             .clauses = {"SYN-04", "SYN-09"},
             .profiles = {Profile::kIpvs, Profile::kAffinity}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(2).standby()));
  const VirtualService service = TcpService(kVip, kPort).persistent(300s);
  ASSERT_OK(bench.add(first_only(bench, service)));
  ASSERT_OK(bench.add_to_standby(both(bench, service)));
  ASSERT_OK(bench.start_sync());
  ASSERT_THAT(bench.client(1).connect(kVip, kPort), ServedBy("real1"));
  bench.let_sync_arrive();
  bench.fail_over();
  say("survives: fail-over to a standby", word(bench.client(1).connect(kVip, kPort), "kept", "moved"));
  EXPECT_THAT(bench.client(2).connect(kVip, kPort), ServedBy("real2"));
  measured("the answer is in the passport");
}

// A window of 10 s under a connection that lasts: it can end at 10 s and a multiple of the extension, and nowhere
// else.
LVSPEC_CASE(Passport, Extension,
            {.id = "passport.extension",
             .claim = "By which steps a window goes on that its connection outlives.",
             .level = Level::kInfo,
             .clauses = {"TPL-34", "TIM-02"},
             .field_reports = {"FR-01"},
             .profiles = {Profile::kIpvs, Profile::kAffinity}}) {
  struct Source {
    seconds released, visit;
    Connection held;
  };
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(9).real_servers(2)));
  const VirtualService service = first_only(bench, TcpService(kVip, kPort).persistent(10s));
  ASSERT_OK(bench.add(service));
  std::vector<Source> sources;
  int client = 0;
  for (const auto& [released, visit] :
       {std::pair{20s, 50s}, {20s, 69s}, {20s, 78s}, {80s, 110s}, {80s, 129s}, {80s, 144s}})
    sources.push_back({released, visit, bench.client(++client).hold(kVip, kPort)});
  for (const Source& source : sources) ASSERT_THAT(source.held.answer(), ServedBy("real1"));
  ASSERT_OK(open_second(bench, service.id));

  std::map<seconds, bool> kept_at;
  for (seconds now{0}; now < 150s; now += 1s) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (sources[i].released == now) sources[i].held.close(Close::kReset).ok();
      if (sources[i].visit == now)
        kept_at[now] = kept(bench.client(static_cast<int>(i) + 1).connect(kVip, kPort, Close::kReset));
    }
    bench.elapse(1s);
  }
  const auto tell = [&](const std::string& property, const std::vector<seconds>& offsets) {
    std::vector<bool> kept;
    kept.reserve(offsets.size());
    for (const seconds offset : offsets) kept.push_back(kept_at[offset]);
    say(property, told({property, 10s, Protocol::kTcp, Close::kReset, offsets}, kept));
  };
  tell("extension: -p 10, connection over at 30 s", {50s, 69s, 78s});
  tell("extension: -p 10, connection over at 90 s", {110s, 129s, 144s});
  measured("the answers are in the passport");
}

// Two kernels, or two configurations of one, may differ in these alone; who compares results sees them first.
// Field: FR-68.
LVSPEC_CASE(Passport, Settings,
            {.id = "passport.settings",
             .claim = "Which sysctls, timeouts and module parameters does a director start with?",
             .level = Level::kInfo,
             .clauses = {"CTL-01"},
             .field_reports = {"FR-68"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  for (const auto& [name, value] : must(bench.director().settings())) say("setting: " + name, value);
  measured("the settings are in the passport");
}

}  // namespace
}  // namespace lvspec
