#include "suites/support.h"

#include "harness/ruleset/read.h"

namespace lvspec {
namespace {

class Quiesced {
 public:
  Quiesced(Bench& bench, const ServiceId& service, const std::string& server)
      : bench_(bench), service_(service), server_(server) {
    must(bench_.edit_server(service_, with_weight(bench_, service_, server_, 0)));
  }
  void restore() { must(bench_.edit_server(service_, with_weight(bench_, service_, server_, 1))); }

 private:
  Bench& bench_;
  const ServiceId& service_;
  const std::string& server_;
};

}  // namespace

std::vector<std::string> names(const std::vector<Answer>& answers) {
  std::vector<std::string> names;
  for (const Answer& answer : answers) names.push_back(answer.outcome == Outcome::kAnswered ? answer.server : "-");
  return names;
}

RealServer with_weight(const Bench& bench, const ServiceId& service, const std::string& server, int weight) {
  RealServer edited;
  edited.address = bench.rip_of(server, service.family);
  edited.port = service.port;
  edited.weight = weight;
  return edited;
}

Answer connect_while_quiescent(Bench& bench, const ServiceId& service, BenchClient client, const IpAddress& vip,
                               std::uint16_t port, const std::string& server) {
  Quiesced quiesced(bench, service, server);
  Answer answer = client.connect(vip, port);
  quiesced.restore();
  return answer;
}

Answer udp_while_quiescent(Bench& bench, const ServiceId& service, BenchClient client, const IpAddress& vip,
                           std::uint16_t port, const std::string& server) {
  Quiesced quiesced(bench, service, server);
  Answer answer = client.udp(vip, port);
  quiesced.restore();
  return answer;
}

std::chrono::nanoseconds past(const Bench& bench, std::chrono::nanoseconds interval) {
  return interval + bench.granule(interval) + 1s;
}

Result<Ruleset> read_fixture(const std::string& name) {
  const char* folder = std::getenv("LVSPEC_FIXTURES");
  const std::string root = folder != nullptr ? folder : LVSPEC_FIXTURES_FOLDER;
  return read_ruleset_file(root + "/" + name);
}

Ruleset fixture_rules(const std::string& name) { return must(read_fixture(name)); }

}  // namespace lvspec
