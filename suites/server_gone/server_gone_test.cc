// The server-gone matrix: a client is held by a server that goes away. Where does its next connection go, and when is
// it free? 96 cells: way x expire_quiescent_template x expire_nodest_conn x protocol x forwarding method. What must
// come out is not written cell by cell: it follows from a rule (fate_of) of a few lines, each with its clauses.

#include <array>
#include <deque>
#include <future>
#include <optional>
#include <utility>

#include "suites/support.h"

namespace lvspec {
namespace {

enum class Way { kWeightZero, kRemoved, kProcessDead, kLinkCut };
enum class Method { kDirect, kNat, kTunnel };

struct Situation {
  Way way;
  Protocol protocol;
  Method method;
  bool quiescent;  ///< expire_quiescent_template
  bool nodest;     ///< expire_nodest_conn
};

// Each beyond the lateness of a timer at HZ=250 or 1000 (TIM-02): 300 s may be 333.
constexpr std::array kTries = {0s, 130s, 340s, 730s};
constexpr std::chrono::seconds kWindow{300};
constexpr std::uint16_t kSamePort = 40001;

/// What came of one client's tries.
struct Fate {
  std::string next;   ///< of the first try: "same server", "other server", "refused", "silence"
  std::size_t moved;  ///< the try that another server answered, from 1; 0: none did

  bool operator==(const Fate&) const = default;
  bool silent_at(std::size_t attempt) const { return next == "silence" && (moved == 0 || attempt < moved); }
  std::string str() const;
};

std::string Fate::str() const {
  if (moved == 0) return next + ", never another";
  if (moved == 1) return "other server at once";
  const auto after = [](std::size_t attempt) { return kTries.at(attempt - 1).count(); };
  const std::string which = "try " + std::to_string(moved) + ", " + std::to_string(after(moved)) + " s";
  if (moved < kTries.size()) return next + ", another at " + which;
  const auto pause = after(moved) - after(moved - 1);  // longer than the window
  return next + ", another only after a pause of " + std::to_string(pause) + " s (" + which + ")";
}

std::ostream& operator<<(std::ostream& out, const Fate& fate) { return out << fate.str(); }

/// A client that comes from a new port each time has no connection entry: its template decides, and its tries renew
/// it (TPL-31). That is rejected where the server is not available, or quiescent and expire_quiescent_template is set
/// (VAL-01); nothing else of the server matters (VAL-02, FWD-09, FWD-10), so that only a pause longer than the window
/// frees the client.
Fate from_new_ports(const Situation& now) {
  switch (now.way) {
    case Way::kRemoved:
      return {"other server", 1};
    case Way::kWeightZero:
      return now.quiescent ? Fate{"other server", 1} : Fate{"same server", 4};
    case Way::kProcessDead:
      return {"refused", 4};
    case Way::kLinkCut:
      return {"silence", 4};
  }
  return {};
}

/// A client that keeps its port meets its connection entry first (SVC-02): 120 s after a TCP connection (CON-20), 300
/// s after a datagram (CON-30). An entry whose server was removed swallows packets and its timer runs on, or ends
/// with the first packet if expire_nodest_conn is set (VAL-20). One whose server has weight 0 is kept, but for a SYN
/// if expire_nodest_conn is set (VAL-22). Without an entry all is as from a new port.
Fate from_the_same_port(const Situation& now) {
  const bool tcp = now.protocol == Protocol::kTcp;
  const std::size_t entry_over = tcp ? 2 : 3;  // the first try that finds none
  switch (now.way) {
    case Way::kRemoved:
      return now.nodest ? Fate{"other server", 1} : Fate{"silence", entry_over};
    case Way::kWeightZero:
      if (tcp && now.quiescent) return now.nodest ? Fate{"other server", 1} : Fate{"same server", entry_over};
      return {"same server", 4};
    case Way::kProcessDead:
    case Way::kLinkCut:
      break;
  }
  return from_new_ports(now);
}

const char* words(Way way) {
  constexpr std::array kWords = {"weight 0", "removed", "process dead", "link cut"};
  return kWords.at(static_cast<std::size_t>(way));
}
const char* words(Method method) {
  constexpr std::array kWords = {"DR", "NAT", "TUN"};
  return kWords.at(static_cast<std::size_t>(method));
}

class ServerGone : public testing::DirectorTest {
 public:
  explicit ServerGone(const Situation& now) : now_(now) {}
  void TestBody() override {
    testing::guarded([this] { steps(); });
  }

 private:
  struct Client {
    BenchClient at;
    std::uint16_t port;  ///< its own, or 0 for a new one each time
    Fate expected;
    std::string server{};  ///< that it is held by
    Fate fate{};
  };

  void steps();
  void with_settings(Bench& bench, int first_client);
  std::vector<Answer> all_try(const Bench& bench, const std::vector<Client>& clients, std::size_t attempt) const;
  void take_away(Bench& bench, const std::string& server) const;
  void bring_back(Bench& bench, const std::string& server) const;
  VirtualService service() const;
  BenchPlan plan() const;
  Measurement cell(const Fate& new_port, const Fate& same_port) const;

  Situation now_;
};

BenchPlan ServerGone::plan() const {
  BenchPlan plan = BenchPlan().clients(8).real_servers(4, {.tcp = {80}, .udp = {53}});
  if (now_.method == Method::kNat) plan.masquerading();
  if (now_.method == Method::kTunnel) plan.tunnelling();
  return plan;
}

VirtualService ServerGone::service() const {
  return (now_.protocol == Protocol::kTcp ? TcpService(kVip, 80) : UdpService(kVip, 53))
      .scheduler("rr")
      .persistent(kWindow);
}

void ServerGone::take_away(Bench& bench, const std::string& server) const {
  const ServiceId id = service().id;
  switch (now_.way) {
    case Way::kWeightZero: {
      RealServer quiet = with_weight(bench, id, server, 0);
      quiet.method = bench.server_options().method;
      quiet.tunnel = bench.server_options().tunnel;
      ASSERT_OK(bench.edit_server(id, quiet));
      break;
    }
    case Way::kRemoved:
      ASSERT_OK(bench.remove_server(id, {bench.rip_of(server), id.port}));
      break;
    case Way::kProcessDead:
      bench.stop_server(server);
      break;
    case Way::kLinkCut:
      bench.set_link(server, false);
      break;
  }
}

/// The other two ways are undone by setting the service up anew.
void ServerGone::bring_back(Bench& bench, const std::string& server) const {
  if (now_.way == Way::kProcessDead) bench.restart_server(server);
  if (now_.way == Way::kLinkCut) bench.set_link(server, true);
}

/// All clients at the same time, since to see silence is to wait for its end. Where the rule says silence the wait is
/// short; where it says anything else a slow machine has its time.
std::vector<Answer> ServerGone::all_try(const Bench& bench, const std::vector<Client>& clients,
                                        std::size_t attempt) const {
  const lvspec::Client probe(bench.netns("client"));
  std::vector<std::future<Result<Answer>>> running;
  for (const Client& client : clients) {
    const Attempt one{.client = {client.at.cip(), client.port},
                      .target = {kVip, service().id.port},
                      .close = Close::kReset,
                      .patience = client.expected.silent_at(attempt) ? 40ms : kPatience};
    running.push_back(std::async(std::launch::async, [&probe, one, this] {
      return now_.protocol == Protocol::kTcp ? probe.connect(one) : probe.udp(one);
    }));
  }
  std::vector<Answer> answers;
  answers.reserve(running.size());
  for (auto& answer : running) answers.push_back(must(answer.get()));
  return answers;
}

std::string where(const Answer& answer, const std::string& held_by) {
  if (answer.outcome == Outcome::kAnswered) return answer.server == held_by ? "same server" : "other server";
  std::ostringstream out;
  out << answer.outcome;
  return out.str();
}

void ServerGone::steps() {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(plan()));
  int first_client = 1;
  for (const bool quiescent : {false, true}) {
    for (const bool nodest : {false, true}) {
      now_.quiescent = quiescent;
      now_.nodest = nodest;
      with_settings(bench, first_client);
      if (HasFatalFailure()) return;
      first_client += 2;
    }
  }
}

void ServerGone::with_settings(Bench& bench, int first_client) {
  ASSERT_OK(bench.add(service()));
  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", now_.quiescent ? 1 : 0));
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", now_.nodest ? 1 : 0));

  std::vector<Client> clients = {{bench.client(first_client), 0, from_new_ports(now_)},
                                 {bench.client(first_client + 1), kSamePort, from_the_same_port(now_)}};
  for (Client& client : clients) {
    const Answer held = all_try(bench, {client}, kTries.size()).front();
    ASSERT_THAT(held, Answered());
    client.server = held.server;
  }
  ASSERT_THAT(clients[1].server, Ne(clients[0].server));  // the control: it is not that all are sent to one
  bench.elapse(1s);                                       // all that clients have sent is handled
  for (const Client& client : clients) take_away(bench, client.server);

  std::chrono::seconds at{0};
  for (std::size_t attempt = 1; attempt <= kTries.size(); ++attempt) {
    if (kTries.at(attempt - 1) > at) bench.elapse(kTries.at(attempt - 1) - at);
    at = kTries.at(attempt - 1);
    std::vector<Client> trying;
    std::vector<std::size_t> whose;
    for (std::size_t i = 0; i < clients.size(); ++i)
      if (clients[i].fate.moved == 0) {
        trying.push_back(clients[i]);
        whose.push_back(i);
      }
    const std::vector<Answer> answers = all_try(bench, trying, attempt);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      Client& client = clients[whose[i]];
      const std::string found = where(answers[i], client.server);
      if (attempt == 1) client.fate.next = found;
      if (found == "other server") client.fate.moved = attempt;
    }
  }
  measured(cell(clients[0].fate, clients[1].fate));
  const Fate new_port = clients[0].fate, same_port = clients[1].fate;
  EXPECT_THAT(new_port, Eq(from_new_ports(now_)));
  EXPECT_THAT(same_port, Eq(from_the_same_port(now_)));

  for (const Client& client : clients) bring_back(bench, client.server);
  ASSERT_OK(bench.clear());  // the next settings have clients of their own
}

Measurement ServerGone::cell(const Fate& new_port, const Fate& same_port) const {
  Measurement cell;
  cell.table = "server-gone";
  cell.at = {{"way", words(now_.way)},
             {"protocol", now_.protocol == Protocol::kTcp ? "TCP" : "UDP"},
             {"method", words(now_.method)},
             {"expire_quiescent_template", now_.quiescent ? "1" : "0"},
             {"expire_nodest_conn", now_.nodest ? "1" : "0"}};
  cell.value =
      new_port == same_port ? new_port.str() : "new port: " + new_port.str() + "; same port: " + same_port.str();
  const auto tell = [&](const std::string& whose, const Fate& fate) {
    cell.parts[whose + ".next"] = fate.next;
    cell.parts[whose + ".moved_on_try"] = fate.moved == 0 ? "never" : std::to_string(fate.moved);
    cell.parts[whose + ".moved_after_s"] =
        fate.moved == 0 ? "never" : std::to_string(kTries.at(fate.moved - 1).count());
  };
  tell("new_port", new_port);
  tell("same_port", same_port);
  return cell;
}

constexpr std::array kWays = {Way::kWeightZero, Way::kRemoved, Way::kProcessDead, Way::kLinkCut};
constexpr std::array kProtocols = {Protocol::kTcp, Protocol::kUdp};
constexpr std::array kMethods = {Method::kDirect, Method::kNat, Method::kTunnel};
constexpr std::size_t kCases = kWays.size() * kProtocols.size() * kMethods.size();

constexpr Situation situation(std::size_t n) {
  return {kWays.at(n / 6), kProtocols.at(n / 3 % 2), kMethods.at(n % 3), false, false};
}

/// One case for each way, protocol and method, "server-gone.removed-tcp-nat"; in it the four settings of the sysctls.
template <std::size_t N>
void enlist() {
  static constexpr Situation kNow = situation(N);
  struct Words {
    const char* id;    ///< the way, in an id
    const char* name;  ///< and in a GoogleTest name
    const char* claim;
  };
  constexpr std::array<Words, 4> kWords = {{{"weight-zero", "WeightZero", "is quiescent"},
                                            {"removed", "Removed", "was removed from its service"},
                                            {"process-dead", "ProcessDead", "has lost its process"},
                                            {"link-cut", "LinkCut", "has lost its link"}}};
  const Words& way = kWords.at(static_cast<std::size_t>(kNow.way));
  const bool tcp = kNow.protocol == Protocol::kTcp;
  const std::string method = words(kNow.method);
  std::string method_id = method;
  for (char& c : method_id) c = static_cast<char>(std::tolower(c));
  const std::string id = std::string("server-gone.") + way.id + (tcp ? "-tcp-" : "-udp-") + method_id;
  const std::string name = std::string(way.name) + (tcp ? "Tcp" : "Udp") + method;
  const std::string claim = std::string("Where and when the next ") + (tcp ? "connections" : "datagrams") +
                            " of a client go whose server " + way.claim + ", by " + method +
                            ", is as the template, the entry and the two sysctls have it.";
  const auto make = []() -> testing::DirectorTest* { return new ServerGone(kNow); };
  switch (kNow.way) {
    case Way::kWeightZero:
      testing::CaseRegistrar("ServerGone", name.c_str(),
                             {.id = id.c_str(),
                              .claim = claim.c_str(),
                              .clauses = {"VAL-01", "VAL-03", "VAL-05", "VAL-22", "CTL-10", "CTL-11"},
                              .field_reports = {"FR-61", "FR-62", "FR-69"}},
                             LVSPEC_THIS_FILE, __LINE__, make);
      break;
    case Way::kRemoved:
      testing::CaseRegistrar("ServerGone", name.c_str(),
                             {.id = id.c_str(),
                              .claim = claim.c_str(),
                              .clauses = {"VAL-01", "VAL-05", "VAL-20", "VAL-21", "DST-01", "CTL-10"},
                              .field_reports = {"FR-62", "FR-63", "FR-64"}},
                             LVSPEC_THIS_FILE, __LINE__, make);
      break;
    case Way::kProcessDead:
      testing::CaseRegistrar("ServerGone", name.c_str(),
                             {.id = id.c_str(),
                              .claim = claim.c_str(),
                              .clauses = {"FWD-10", "VAL-02", "TPL-31", "CTL-10", "CTL-11"},
                              .field_reports = {"FR-65", "FR-70"}},
                             LVSPEC_THIS_FILE, __LINE__, make);
      break;
    case Way::kLinkCut:
      testing::CaseRegistrar("ServerGone", name.c_str(),
                             {.id = id.c_str(),
                              .claim = claim.c_str(),
                              .clauses = {"FWD-09", "VAL-02", "TPL-31", "CTL-10", "CTL-11"},
                              .field_reports = {"FR-65", "FR-70"}},
                             LVSPEC_THIS_FILE, __LINE__, make);
      break;
  }
}

template <std::size_t... N>
bool enlist_all(std::index_sequence<N...>) {
  (enlist<N>(), ...);
  return true;
}

[[maybe_unused]] const bool kEnlisted = enlist_all(std::make_index_sequence<kCases>());

}  // namespace
}  // namespace lvspec
