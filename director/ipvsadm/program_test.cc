#include "director/ipvsadm/program.h"

#include <gmock/gmock.h>

#include <sstream>

#include "director/control/control.h"

namespace lvspec::ipvsadm {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// The program with a director of its own behind it, without a socket between them.
class Program : public testing::Test {
 protected:
  struct Told {
    std::string out, err;
    int status = 0;
    bool operator==(const Told&) const = default;
    friend void PrintTo(const Told& told, std::ostream* stream) {
      *stream << "{" << testing::PrintToString(told.out) << ", " << testing::PrintToString(told.err) << ", "
              << told.status << "}";
    }
  };

  Told as(const std::string& name, const std::string& line, const std::string& input = "") {
    std::istringstream in(input), stream(line);
    std::ostringstream out, err;
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    const Surroundings around{in, out, err, [&](const nlohmann::json& request) -> Result<nlohmann::json> {
                                if (!reachable_) return Error{"no director listens on @here"};
                                return nlohmann::json::parse(control_.answer(0, request.dump()));
                              }};
    const int status = run(name, words, around);
    return {out.str(), err.str(), status};
  }
  Told ipvsadm(const std::string& line, const std::string& input = "") { return as("ipvsadm", line, input); }
  std::string saved() { return ipvsadm("-S -n").out; }
  static Told refused(const std::string& message, int status) { return {"", message + "\n", status}; }

  bool reachable_ = true;
  director::Director director_;
  director::Clock clock_{true};
  director::Control control_{director_, clock_};
};

TEST_F(Program, ProgramsTheDirector) {
  EXPECT_EQ(ipvsadm("-A -t 198.51.100.10:80 -s rr -p 300 -M 255.255.255.0"), Told{});
  EXPECT_EQ(ipvsadm("-a -t 198.51.100.10:80 -r 203.0.113.11 -w 3"), Told{});
  EXPECT_EQ(ipvsadm("-A -f 9 -6 -s wlc -p 60 -M 64"), Told{});
  EXPECT_EQ(ipvsadm("-e -t 198.51.100.10:80 -r 203.0.113.11 -w 5"), Told{});
  EXPECT_EQ(saved(),
            "-A -t 198.51.100.10:80 -s rr -p 300 -M 255.255.255.0\n"
            "-a -t 198.51.100.10:80 -r 203.0.113.11:80 -g -w 5\n"
            "-A -f 9 -6 -s wlc -p 60 -M 64\n");
  EXPECT_EQ(ipvsadm("-d -t 198.51.100.10:80 -r 203.0.113.11"), Told{});
  EXPECT_EQ(ipvsadm("-D -f 9 -6"), Told{});
  EXPECT_EQ(saved(), "-A -t 198.51.100.10:80 -s rr -p 300 -M 255.255.255.0\n");
  EXPECT_EQ(ipvsadm("-C"), Told{});
  EXPECT_EQ(saved(), "");
}

TEST_F(Program, ListsWithoutArguments) {
  EXPECT_EQ(ipvsadm(""), ipvsadm("-L"));
  EXPECT_THAT(ipvsadm("").out, StartsWith("IP Virtual Server version 1.2.1 (size=4096)\n"));
}

TEST_F(Program, SetsTimeouts) {
  EXPECT_EQ(ipvsadm("--set 1000 0 30"), Told{});
  EXPECT_EQ(ipvsadm("-L --timeout").out, "Timeout (tcp tcpfin udp): 1000 120 30\n");
}

// ADM-50 to ADM-56, ADM-58.
TEST_F(Program, RefusesInTheWordsOfIpvsadm) {
  ipvsadm("-A -t 198.51.100.10:80 -s rr");
  ipvsadm("-a -t 198.51.100.10:80 -r 203.0.113.11");
  EXPECT_EQ(ipvsadm("-A -t 198.51.100.10:80"), refused("Service already exists", 255));
  EXPECT_EQ(ipvsadm("-E -t 198.51.100.10:81"), refused("No such service", 255));
  EXPECT_EQ(ipvsadm("-L -t 198.51.100.10:81"), refused("No such service", 1));
  EXPECT_EQ(ipvsadm("-a -t 198.51.100.10:81 -r 203.0.113.11"), refused("Service not defined", 255));
  EXPECT_EQ(ipvsadm("-a -t 198.51.100.10:80 -r 203.0.113.11"), refused("Destination already exists", 255));
  EXPECT_EQ(ipvsadm("-d -t 198.51.100.10:80 -r 203.0.113.12"), refused("No such destination", 255));
  EXPECT_EQ(ipvsadm("-A -t 198.51.100.10:82 -s bogus"), refused("Scheduler or persistence engine not found", 255));
  EXPECT_EQ(ipvsadm("-a -t 198.51.100.10:80 -r 203.0.113.12 -y 5"), refused("Numerical result out of range", 255));
}

TEST_F(Program, ComplainsOfTheLineWithoutADirector) {
  reachable_ = false;
  EXPECT_EQ(ipvsadm("-A -t 80"), refused("illegal virtual server address[:port] specified", 2));
  EXPECT_EQ(ipvsadm("-A --bogus"), refused("--bogus: unknown option", 255));
  EXPECT_EQ(as("/x/ipvsadm", "-n"), refused("Try `/x/ipvsadm -h' or '/x/ipvsadm --help' for more information.", 255));
  EXPECT_THAT(ipvsadm("-h").out, HasSubstr("  ipvsadm -Z [virtual-service]\n"));
  EXPECT_THAT(ipvsadm("--version").out, StartsWith("ipvsadm v1.31 "));
  const Told told = ipvsadm("-C");
  EXPECT_EQ(told.status, 2);
  EXPECT_THAT(told.err, StartsWith("Can't initialize ipvs: no director listens on @here\n"));
}

// ADM-38, as the real program does it: a refusal and an unknown option cost their line, another mistake ends the run.
TEST_F(Program, RestoresLineByLine) {
  EXPECT_EQ(ipvsadm("-R", "-A -t 198.51.100.1:80\r\n\nipvsadm  -A\t-t 198.51.100.2:80"), Told{});
  EXPECT_EQ(ipvsadm("-R", "-A -t 198.51.100.1:80\n-A -t 198.51.100.3:80\n"), refused("Service already exists", 0));
  EXPECT_EQ(ipvsadm("-R", "-A -t 198.51.100.4:80\n-A -t 198.51.100.1:80\n"), refused("Service already exists", 255));
  EXPECT_EQ(ipvsadm("-R", "-A --bogus\n-A -t 198.51.100.5:80\n"), refused("--bogus: unknown option", 0));
  EXPECT_EQ(ipvsadm("-R", "-A -t 80\n-A -t 198.51.100.6:80\n"),
            refused("illegal virtual server address[:port] specified", 2));
  EXPECT_EQ(ipvsadm("-R", "-L -t 198.51.100.9:80\n-A -t 198.51.100.6:80\n"), refused("No such service", 1));
  EXPECT_EQ(ipvsadm("-R", "-R\n-A -t 198.51.100.6:80\n"),
            refused("Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255));
  EXPECT_EQ(ipvsadm("-R", "-v\n-A -t 198.51.100.6:80\n").status, 0);
  EXPECT_EQ(ipvsadm("-R", "# no comments here\n"),
            refused("Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255));
  EXPECT_EQ(ipvsadm("-R", std::string("-A -t 198.51.100.7:80\0junk -s rr\n", 33)), Told{});
  EXPECT_EQ(saved(),
            "-A -t 198.51.100.1:80 -s wlc\n-A -t 198.51.100.2:80 -s wlc\n-A -t 198.51.100.3:80 -s wlc\n"
            "-A -t 198.51.100.4:80 -s wlc\n-A -t 198.51.100.5:80 -s wlc\n-A -t 198.51.100.7:80 -s rr\n");
}

TEST_F(Program, IsTheScriptsByName) {
  EXPECT_EQ(as("/sbin/ipvsadm-restore", "", "# rules\n-A -t 198.51.100.1:80 -s rr\n"), Told{});
  EXPECT_EQ(as("ipvsadm-save", "-n").out, "-A -t 198.51.100.1:80 -s rr\n");
  EXPECT_EQ(as("ipvsadm-restore", "", ""), Told{});
  EXPECT_EQ(as("ipvsadm-save", "").out, "");
  EXPECT_EQ(as("ipvsadm-save", "-x").status, 1);
}

// Whatever the bytes are, the answer is a complaint.
TEST_F(Program, TakesAnyBytes) {
  std::uint32_t random = 1;
  const char* const words[] = {"-A", "-t", "-L", "-n",       "--set",     "-r", "[",
                               ":",  "-",  "--", "\xff\xfe", "1.2.3.4:5", "-p"};
  for (int i = 0; i < 3000; ++i) {
    std::string line;
    for (int length = 0; length < 6; ++length) {
      random = random * 1664525 + 1013904223;
      line += std::string(words[(random >> 16) % std::size(words)]) + ((random >> 8) % 4 == 0 ? "" : " ");
    }
    const Told told = ipvsadm("-R", line);
    EXPECT_TRUE(told.status == 0 || !told.err.empty()) << line;
  }
}

}  // namespace
}  // namespace lvspec::ipvsadm
