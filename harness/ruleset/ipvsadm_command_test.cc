#include "harness/ruleset/ipvsadm_command.h"

#include <gmock/gmock.h>

#include <sstream>

namespace lvspec {
namespace {

std::variant<IpvsadmCommand, Complaint> parsed(const std::string& line, const NameLookup& names = {}) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return parse_ipvsadm_words(words, names);
}

template <typename T>
T command(const std::string& line, const NameLookup& names = {}) {
  const auto result = parsed(line, names);
  const auto* found = std::get_if<IpvsadmCommand>(&result);
  EXPECT_NE(found, nullptr) << line << ": " << std::get<Complaint>(result).said;
  if (found == nullptr || !std::holds_alternative<T>(*found)) {
    ADD_FAILURE() << "another command: " << line;
    return T{};
  }
  return std::get<T>(*found);
}

TEST(IpvsadmCommand, ListsInEveryWay) {
  EXPECT_EQ(command<ListTables>("-L"), ListTables{});
  EXPECT_EQ(command<ListTables>("-ln"), (ListTables{.numeric = true}));
  EXPECT_EQ(command<ListTables>("--list --numeric --connection --persistent-conn"),
            (ListTables{.connections = true, .numeric = true, .persistent_connections = true}));
  EXPECT_EQ(command<ListTables>("-L --timeout -X"), (ListTables{.timeouts = true, .exact = true}));
  EXPECT_EQ(command<ListTables>("-L --daemon"), (ListTables{.daemons = true}));
  EXPECT_EQ(command<ListTables>("-L --stats --rate --thresholds --exact --nosort --sort --tun-info"),
            (ListTables{
                .exact = true, .sorted = false, .tunnels = true, .stats = true, .rates = true, .thresholds = true}));
  EXPECT_EQ(command<ListTables>("-L -f 9 -6").service, ServiceId::of_mark(9, AF_INET6));
}

TEST(IpvsadmCommand, HasTheOtherCommands) {
  EXPECT_EQ(command<SaveServices>("-S"), SaveServices{});
  EXPECT_EQ(command<SaveServices>("-Sn"), SaveServices{true});
  EXPECT_EQ(command<RestoreServices>("-R"), RestoreServices{});
  EXPECT_EQ(command<ZeroCounters>("-Z"), ZeroCounters{});
  EXPECT_EQ(command<ZeroCounters>("-Z -t 198.51.100.10:80").service,
            ServiceId::of(Protocol::kTcp, IpAddress::of("198.51.100.10"), 80));
  EXPECT_EQ(command<SetTimeouts>("--set 900 -- 0 300"), (SetTimeouts{900, 0, 300}));
  EXPECT_EQ(command<StartDaemon>("--start-daemon=master"), StartDaemon{});
  EXPECT_EQ(command<StartDaemon>("--start-daemon backup --mcast-interface lo --syncid 7 --mcast-group ff02::81 "
                                 "--mcast-port 8850 --mcast-ttl 3 --sync-maxlen 1400"),
            (StartDaemon{DaemonRole::kBackup, "lo", 7, 1400, IpAddress::of("ff02::81"), 8850, 3}));
  EXPECT_EQ(command<StopDaemon>("--stop-daemon backup --syncid 7"), StopDaemon{DaemonRole::kBackup});
  command<ShowHelp>("-h --bogus");
  command<ShowVersion>("--version");
  EXPECT_EQ(command<Command>("-C"), Command(ClearServices{}));
}

// ADM-36. Service names go with the protocol; before the service there is none yet.
TEST(IpvsadmCommand, ResolvesNamesIfItMay) {
  NameLookup names;
  names.host = [](const std::string& name) {
    return name == "vip" ? std::optional(IpAddress::of("198.51.100.10")) : std::nullopt;
  };
  names.port = [](const std::string& name, Protocol protocol) {
    return name == "http" && protocol == Protocol::kTcp ? std::optional<std::uint16_t>(80) : std::nullopt;
  };
  const auto id = [&](const std::string& line) { return command<ZeroCounters>(line, names).service->str(); };
  EXPECT_EQ(id("-Z -t vip:http"), "TCP 198.51.100.10:80");
  EXPECT_EQ(id("-Z -t [2001:db8::1]:http"), "TCP [2001:db8::1]:80");
  EXPECT_EQ(id("-Z -t [198.51.100.10]:80"), "TCP 198.51.100.10:0");  // the port behind such brackets is lost
  for (const char* line : {"-Z -u vip:http", "-Z -t nix:http", "-Z -t vip:"})
    EXPECT_TRUE(std::holds_alternative<Complaint>(parsed(line, names))) << line;
  EXPECT_TRUE(std::holds_alternative<Complaint>(parsed("-a -r vip:http -t vip:http", names)));
  EXPECT_TRUE(std::holds_alternative<IpvsadmCommand>(parsed("-a -t vip:http -r vip:http", names)));
  EXPECT_TRUE(std::holds_alternative<Complaint>(parsed("-Z -t vip:80")));
}

struct Said {
  const char* line;
  const char* said;
  int status;
  bool ends_restore = true;
};

class IpvsadmComplaint : public testing::TestWithParam<Said> {};

// Each as the real program says it (fixtures/ipvsadm/command_lines.txt has them all, judged by the program itself).
TEST_P(IpvsadmComplaint, IsTheProgramsOwn) {
  const auto result = parsed(GetParam().line);
  const auto* complaint = std::get_if<Complaint>(&result);
  ASSERT_NE(complaint, nullptr) << GetParam().line;
  EXPECT_EQ(complaint->said, GetParam().said);
  EXPECT_EQ(complaint->status, GetParam().status);
  EXPECT_EQ(complaint->ends_restore, GetParam().ends_restore);
}

INSTANTIATE_TEST_SUITE_P(
    Every, IpvsadmComplaint,
    testing::Values(Said{"-L -c --stats", "options conflicts in the list command", 2},
                    Said{"-L --daemon --persistent-conn", "options conflicts in the list command", 2},
                    Said{"-L --timeout -t 10.0.0.1:80",
                         "The option 'timeout' conflicts with the 'service-address' option in the 'list' command", 2},
                    Said{"-L -nv", "invalid option `-nv'", 2}, Said{"-Lnq", "-Lnq: unknown option", 255, false},
                    Said{"-L -t", "-t: missing argument", 255, false},
                    Said{"-L --exact=3", "--exact=3: option does not take an argument", 255, false},
                    Said{"-L -6", "-6 used before -f\n", 2},
                    Said{"--set 1 2", "--set option requires 3 timeout values", 2},
                    Said{"--set 1 x 3", "invalid timeout value `x' specified", 2},
                    Said{"--set 1 x 3 --bogus", "--bogus: unknown option", 255, false},
                    Said{"--set 1 2 3 4", "unexpected argument 4", 2},
                    Said{"--set=1 2 3", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255},
                    Said{"-n -L", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255},
                    Said{"--bogus", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255},
                    Said{"--start-daemon x", "illegal start-daemon parameter specified", 2},
                    Said{"--stop-daemon x", "illegal start_daemon specified", 2},
                    Said{"--stop-daemon master --mcast-port 3",
                         "Illegal 'mcast-port' option with the 'stop-daemon' command", 2},
                    Said{"--start-daemon master --mcast-group 10.0.0.1", "invalid IPv4 mcast-group `10.0.0.1'", 2},
                    Said{"--start-daemon master --mcast-group ::1", "invalid IPv6 mcast-group `::1'", 2},
                    Said{"--start-daemon master --sync-maxlen 65508", "illegal sync-maxlen specified", 2}));

}  // namespace
}  // namespace lvspec
