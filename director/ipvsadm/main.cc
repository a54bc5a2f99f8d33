// lvspec-ipvsadm [--control SOCKET] ARGUMENTS OF IPVSADM; under the name ipvsadm, ipvsadm-save or ipvsadm-restore it
// is that program, with its command line and nothing else.

#include <cstdlib>
#include <iostream>
#include <optional>

#include "director/control/protocol.h"
#include "director/ipvsadm/connection.h"
#include "director/ipvsadm/program.h"

namespace lvspec::ipvsadm {
namespace {

/// Takes `--control SOCKET` off the front. @return whether it was complete.
bool take_control(std::vector<std::string>* arguments, std::string* control) {
  constexpr std::string_view kOption = "--control";
  if (arguments->empty() || !arguments->front().starts_with(kOption)) return true;
  const std::string first = arguments->front();
  if (first.starts_with("--control=")) {
    *control = first.substr(kOption.size() + 1);
    arguments->erase(arguments->begin());
  } else if (first == kOption) {
    if (arguments->size() < 2) return false;
    *control = arguments->at(1);
    arguments->erase(arguments->begin(), arguments->begin() + 2);
  }
  return true;
}

int main(int count, char** words) {
  const std::string program = count > 0 ? words[0] : "ipvsadm";
  std::vector<std::string> arguments(words + std::min(count, 1), words + count);
  const char* from_environment = std::getenv("LVSPEC_CONTROL");
  std::string control =
      from_environment != nullptr && *from_environment != 0 ? from_environment : director::protocol::kDefaultControl;
  const bool is_ipvsadm = program.substr(program.rfind('/') + 1).starts_with("ipvsadm");
  if (!is_ipvsadm && !take_control(&arguments, &control)) {
    std::cerr << "--control: missing argument: the director's control socket\n";
    return 2;
  }

  std::optional<Connection> connection;  // opened by the first request: -h and mistakes need no director
  const Surroundings around{
      std::cin,
      std::cout,
      std::cerr,
      [&](const nlohmann::json& request) -> Result<nlohmann::json> {
        if (!connection) {
          LVSPEC_ASSIGN(connection, Connection::open(control));
        }
        return connection->ask(request);
      },
      system_lookup(),
      system_names(),
  };
  const int status = run(program, arguments, around);
  std::cout.flush();
  return status;
}

}  // namespace
}  // namespace lvspec::ipvsadm

int main(int count, char** words) { return lvspec::ipvsadm::main(count, words); }
