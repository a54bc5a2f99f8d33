#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "harness/doctor/configuration.h"
#include "harness/ruleset/ipvsadm_split.h"
#include "harness/ruleset/words.h"

namespace lvspec::doctor {

std::string Place::str() const { return line > 0 ? fmt::format("{}:{}", file, line) : file; }

const PlacedService* Configuration::find(const ServiceId& id) const {
  const auto found = std::find_if(services.begin(), services.end(), [&](const auto& one) { return one.id() == id; });
  return found == services.end() ? nullptr : &*found;
}

PlacedService* Configuration::find(const ServiceId& id) {
  return const_cast<PlacedService*>(static_cast<const Configuration*>(this)->find(id));
}

namespace {

/// How a line said what it says; the model has only what it means.
struct Manner {
  bool bare_persistence = false;
  bool scheduler = false;
  std::string mask{};
  std::optional<std::uint16_t> server_port{};
};

/// "203.0.113.11:8080", "[2001:db8::1]:80"; nothing where no port stands.
std::optional<std::uint16_t> port_at_the_end(const std::string& server) {
  const auto colon = server.rfind(':');
  const bool bare_v6 = server.find(':') != colon && server.find(']') == std::string::npos;
  if (colon == std::string::npos || bare_v6) return std::nullopt;
  std::uint16_t port = 0;
  const char* const end = server.data() + server.size();
  const auto [stop, error] = std::from_chars(server.data() + colon + 1, end, port);
  if (error != std::errc() || stop != end) return std::nullopt;
  return port;
}

Manner manner_of(std::vector<std::string> words) {
  if (!words.empty() && ruleset::program_of(words.front()) == "ipvsadm") words.erase(words.begin());
  Manner manner;
  for (const ruleset::Given& given : ruleset::split_options(std::move(words)).given) {
    if (given.spec == nullptr) continue;
    if (given.spec->opt == ruleset::Opt::kPersistent) manner.bare_persistence = !given.value.has_value();
    if (given.spec->opt == ruleset::Opt::kScheduler) manner.scheduler = true;
    if (given.spec->opt == ruleset::Opt::kNetmask) manner.mask = given.value.value_or("");
    if (given.spec->opt == ruleset::Opt::kRealServer && given.value)
      manner.server_port = port_at_the_end(*given.value);
  }
  return manner;
}

/// Keeps the places beside a ruleset on which every command is carried out, and refused where a director would.
class ScriptReader {
 public:
  Status take(const Order& order, const LineOrigin& at, const std::vector<std::string>& words) {
    place_ = {at.file, at.line};
    if (const auto* rule = std::get_if<MarkRule>(&order)) {
      result_.marks.push_back({*rule, place_});
      return {};
    }
    const Command& command = std::get<Command>(order);
    manner_ = manner_of(words);
    const ServiceId* const id = std::visit([](const auto& one) { return service_of(one); }, command);
    const VirtualService* const met = id == nullptr ? nullptr : ruleset_.find(*id);
    before_ = met == nullptr ? std::nullopt : std::optional(*met);
    LVSPEC_TRY(apply_command(command, &ruleset_));
    std::visit([&](const auto& one) { follow(one); }, command);
    return {};
  }

  Configuration finish(const std::vector<LineError>& errors) {
    for (const LineError& one : errors) {
      const std::string prefix = fmt::format("{}:{}: ", one.at.file, one.at.line);
      std::string text = one.error.message;
      if (text.starts_with(prefix)) text.erase(0, prefix.size());
      result_.refusals.push_back({{one.at.file, one.at.line}, std::move(text)});
    }
    return std::move(result_);
  }

 private:
  void set(PlacedService* service, const VirtualService& said) {
    service->service = said;
    service->place = place_;
    service->window_from = manner_.bare_persistence ? WindowFrom::kBareOption : WindowFrom::kNumber;
    service->mask_text = manner_.mask;
  }

  /// The service whose state before the command counts: of those that change or take away.
  static const ServiceId* service_of(const EditService& command) { return &command.service.id; }
  static const ServiceId* service_of(const DeleteService& command) { return &command.service; }
  static const ServiceId* service_of(const EditServer& command) { return &command.service; }
  static const ServiceId* service_of(const DeleteServer& command) { return &command.service; }
  template <typename Other>
  static const ServiceId* service_of(const Other&) {
    return nullptr;
  }

  void note_change(const Command& command) {
    result_.changes.push_back({place_, command, before_, std::nullopt, manner_.scheduler});
  }

  void follow(const AddService& command) { set(&result_.services.emplace_back(), command.service); }
  void follow(const EditService& command) {
    note_change(command);
    set(result_.find(command.service.id), command.service);
  }
  void follow(const DeleteService& command) {
    note_change(command);
    std::erase_if(result_.services, [&](const PlacedService& one) { return one.id() == command.service; });
  }
  void follow(const ClearServices& command) {
    if (!result_.services.empty()) result_.changes.push_back({place_, command, std::nullopt, std::nullopt, false});
    result_.services.clear();
  }
  void follow(const AddServer& command) {
    result_.find(command.service)->servers.push_back({command.server, place_, manner_.server_port});
  }
  void follow(const EditServer& command) {
    note_change(command);
    const auto found = server(command.service, command.server.endpoint());
    result_.changes.back().server_before = found->server;
    *found = {command.server, place_, manner_.server_port};
  }
  void follow(const DeleteServer& command) {
    note_change(command);
    const auto found = server(command.service, {command.address, command.port});
    result_.changes.back().server_before = found->server;
    result_.find(command.service)->servers.erase(found);
  }

  std::vector<PlacedServer>::iterator server(const ServiceId& id, const Endpoint& endpoint) {
    std::vector<PlacedServer>& servers = result_.find(id)->servers;
    const auto found = std::find_if(servers.begin(), servers.end(),
                                    [&](const PlacedServer& one) { return one.server.endpoint() == endpoint; });
    LVSPEC_CHECK(found != servers.end());
    return found;
  }

  Place place_;
  Manner manner_;
  Ruleset ruleset_;
  std::optional<VirtualService> before_;
  Configuration result_;
};

}  // namespace

Configuration read_script(std::string_view text, const std::string& file) {
  ScriptReader reader;
  const auto errors = read_orders(text, file, [&reader](const Order& order, const LineOrigin& at, const auto& words) {
    return reader.take(order, at, words);
  });
  return reader.finish(errors);
}

}  // namespace lvspec::doctor
