#include "harness/adapters/tables.h"

#include <fmt/format.h>

#include <ostream>

namespace lvspec {

std::ostream& operator<<(std::ostream& out, const Entry& entry) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(entry.expires_in).count();
  return out << fmt::format("{} {:02}:{:02} {} {} -> {} {}{}", entry.protocol, seconds / 60, seconds % 60,
                            entry.state, entry.client.str(), entry.target.str(), entry.server.str(),
                            entry.is_template ? " (template)" : "");
}

std::ostream& operator<<(std::ostream& out, const ServerState& server) {
  return out << fmt::format("{} weight {} persistent {} active {} inactive {}", server.server.endpoint().str(),
                            server.server.weight, server.persistent, server.active, server.inactive);
}

std::string Tables::str() const {
  std::string text =
      "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n"
      "  -> RemoteAddress:Port\n";
  for (const ServiceState& service : services) {
    text += service.service.title() + "\n";
    for (const ServerState& server : service.servers)
      text += fmt::format("  -> {:<28} {:<9} {:<11} {:<10} {:<10}\n", server.server.endpoint().str(),
                          server.server.weight, server.persistent, server.active, server.inactive);
  }
  text += "\nIPVS connection entries\npro expire state       source             virtual            destination\n";
  for (const Entry& entry : entries) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(entry.expires_in).count();
    text += fmt::format("{:<3} {:<6} {:<11} {:<18} {:<18} {}\n", entry.protocol,
                        fmt::format("{:02}:{:02}", seconds / 60, seconds % 60), entry.state, entry.client.str(),
                        entry.target.str(), entry.server.str() + (entry.origin == "SYNC" ? " SYNC" : ""));
    if (!entry.engine.empty()) text.insert(text.size() - 1, fmt::format(" {} {}", entry.engine, entry.engine_data));
  }
  return text;
}

}  // namespace lvspec
