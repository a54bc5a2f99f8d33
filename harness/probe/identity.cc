#include "harness/probe/identity.h"

#include <fmt/format.h>

namespace lvspec {
namespace {

// The value of "key=value" in `line`; empty if there is none.
std::string_view field(std::string_view line, std::string_view key) {
  const auto at = line.find(key);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + key.size());
  return line.substr(0, line.find_first_of(" \r\n"));
}

}  // namespace

std::string identity_line(std::string_view server, const Endpoint& client, const Endpoint& target) {
  return fmt::format("server={} client={} target={}\n", server, client.str(), target.str());
}

bool read_identity(std::string_view text, Answer* answer) {
  const auto start = text.find("server=");
  if (start == std::string_view::npos) return false;
  const std::string_view line = text.substr(start, text.find('\n', start) - start);
  const std::string_view server = field(line, "server=");
  const Result<Endpoint> client = Endpoint::parse(field(line, " client="));
  if (server.empty() || !client.ok()) return false;
  answer->server = server;
  answer->seen_client = *client;
  return true;
}

}  // namespace lvspec
