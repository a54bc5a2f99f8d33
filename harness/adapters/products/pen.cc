#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "harness/adapters/products/products.h"

namespace lvspec {
namespace {

/// One process a service, whose command line is its configuration; an edit is a restart.
class Pen : public Product {
 public:
  Pen(const DirectorSite& site, NetworkNamespace netns, WireFence fence, DirectorIdentity identity,
      const ProductOptions& options)
      : Product(site, std::move(netns), std::move(fence), std::move(identity),
                {.protocols = {Protocol::kTcp}, .schedulers = {"rr"}, .ipv6 = false, .server_ports = true}, options) {
  }

 protected:
  Status bring(const Ruleset& wanted) override {
    std::map<ServiceId, std::vector<std::string>> lines;
    for (const VirtualService& service : wanted.services) {
      const std::vector<std::string> line = line_of(service);
      if (!line.empty()) lines[service.id] = line;
    }
    configuration_.clear();
    for (const auto& [id, line] : lines) configuration_ += fmt::format("{}\n", fmt::join(line, " "));
    for (auto running = running_.begin(); running != running_.end();) {
      const auto line = lines.find(running->first);
      if (line != lines.end() && line->second == running->second.line) {
        lines.erase(line);
        ++running;
        continue;
      }
      end(std::move(running->second.child));
      running = running_.erase(running);
    }
    for (const auto& [id, line] : lines) {
      LVSPEC_ASSIGN(Child child, start(line));
      const Endpoint at{id.address, id.port};
      LVSPEC_TRY(await(fmt::format("pen listens on {}", at.str()), &child,
                       [&, &id = id] { return listens(id.protocol, at); }));
      running_.emplace(id, Running{line, std::move(child)});
    }
    return {};
  }

  std::string live_log() const override {
    std::string text;
    for (const auto& [id, running] : running_) text += running.child.output();
    return text;
  }

 private:
  struct Running {
    std::vector<std::string> line;
    Child child;
  };

  /// Empty where there is no server to send anybody to: pen does not start without one.
  static std::vector<std::string> line_of(const VirtualService& service) {
    // -f: stay in the foreground; -x: connections at once; -c: clients remembered; -t: patience with a server.
    std::vector<std::string> line = {"pen", "-f", "-x", "400", "-c", "2048", "-t", "1"};
    if (service.persistent_s) {
      line.insert(line.end(), {"-T", std::to_string(*service.persistent_s)});
    } else {
      line.push_back("-r");
    }
    line.push_back(Endpoint{service.id.address, service.id.port}.str());
    const std::size_t words = line.size();
    for (const RealServer& server : service.servers)
      if (takes_clients(server)) line.push_back(server.endpoint().str());
    return line.size() == words ? std::vector<std::string>{} : line;
  }

  std::map<ServiceId, Running> running_;
};

}  // namespace

Result<std::unique_ptr<DirectorUnderTest>> start_pen(const DirectorSite& site, NetworkNamespace netns,
                                                     WireFence fence, DirectorIdentity identity,
                                                     const ProductOptions& options) {
  return std::unique_ptr<DirectorUnderTest>(
      new Pen(site, std::move(netns), std::move(fence), std::move(identity), options));
}

}  // namespace lvspec
