#include "director/control/control.h"

#include <fmt/format.h>
#include <time.h>

#include <map>
#include <utility>
#include <vector>

#include "director/control/protocol.h"
#include "director/control/translate.h"
#include "director/core/sysctls.h"

namespace lvspec::director {
namespace {

using nlohmann::json;

std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

json ok() { return {{"ok", true}}; }
json failed(const std::string& code, const std::string& error) {
  return {{"ok", false}, {"code", code}, {"error", error}};
}
json result_of(Outcome outcome) {
  return outcome == Outcome::kOk ? ok() : failed(code_of(outcome), text_of(outcome));
}

/// The fields of one request, read with their names, so that a mistake can be told by name.
struct Request {
  const json& body;

  template <typename T>
  T get(const char* field) const {
    const auto found = body.find(field);
    if (found == body.end()) throw BadRequest(fmt::format("{}: missing", field));
    try {
      return found->get<T>();
    } catch (const json::exception& error) {
      throw BadRequest(fmt::format("{}: {}", field, error.what()));
    }
  }
  ServiceKey service() const { return to_core(get<protocol::ServiceId>("service")); }
  RealServerKey server() const { return to_core(get<protocol::ServerId>("server")); }
  ServiceSettings service_settings() const {
    return to_core(get<protocol::ServiceSettings>("settings"), service().family);
  }
  RealServerSettings server_settings() const { return to_core(get<protocol::ServerSettings>("settings")); }
};

using Handler = json (*)(Director&, Clock&, const Request&);

const std::map<std::string, Handler>& handlers() {
  static const std::map<std::string, Handler> table = {
      {"hello",
       [](Director&, Clock& clock, const Request&) {
         json reply = ok();
         reply["name"] = "lvspec-director";
         reply["version"] = LVSPEC_VERSION;
         reply["clock"] = clock.manual() ? "manual" : "real";
         reply["capabilities"] = {"ipv4",
                                  "ipv6",
                                  "tcp",
                                  "udp",
                                  "dr",
                                  "local",
                                  "ppc",
                                  "pcc",
                                  "mark",
                                  "mask",
                                  "tables",
                                  "sysctl",
                                  "edit",
                                  "clock",
                                  "threshold",
                                  "rr",
                                  "wrr",
                                  "lc",
                                  "wlc",
                                  "ftp",
                                  "one-packet",
                                  "sed",
                                  "nq",
                                  "fo",
                                  "ovf",
                                  "dh",
                                  "sh",
                                  "mh",
                                  "lblc",
                                  "lblcr",
                                  "twos",
                                  "stats",
                                  "sync",
                                  "masq",
                                  "tunnel",
                                  "sctp",
                                  "sip",
                                  "marks",
                                  "port0",
                                  "nat",
                                  "tun",
                                  "affinity",
                                  "edit-keeps-clients"};
         return reply;
       }},
      {"add_service",
       [](Director& director, Clock&, const Request& request) {
         return result_of(director.add_service(request.service(), request.service_settings()));
       }},
      {"edit_service",
       [](Director& director, Clock&, const Request& request) {
         return result_of(director.edit_service(request.service(), request.service_settings()));
       }},
      {"remove_service",
       [](Director& director, Clock& clock, const Request& request) {
         return result_of(director.remove_service(clock.now(), request.service()));
       }},
      {"add_server",
       [](Director& director, Clock&, const Request& request) {
         return result_of(director.add_server(request.service(), request.server(), request.server_settings()));
       }},
      {"edit_server",
       [](Director& director, Clock&, const Request& request) {
         return result_of(director.edit_server(request.service(), request.server(), request.server_settings()));
       }},
      {"remove_server",
       [](Director& director, Clock& clock, const Request& request) {
         return result_of(director.remove_server(clock.now(), request.service(), request.server()));
       }},
      {"clear",
       [](Director& director, Clock& clock, const Request&) {
         director.clear(clock.now());
         return ok();
       }},
      {"zero",
       [](Director& director, Clock& clock, const Request& request) {
         if (request.body.contains("service")) return result_of(director.zero(clock.now(), request.service()));
         director.zero(clock.now());
         return ok();
       }},
      {"set_marks",
       [](Director& director, Clock&, const Request& request) {
         std::vector<MarkRule> rules;
         for (const auto& mark : request.get<std::vector<protocol::Mark>>("marks")) rules.push_back(to_core(mark));
         director.set_marks(std::move(rules));
         return ok();
       }},
      {"set_sysctls",
       [](Director& director, Clock&, const Request& request) {
         const Sysctls wanted = to_core(request.get<protocol::Sysctls>("sysctls"), director.sysctls());
         return result_of(director.set_sysctls(wanted));
       }},
      {"set_timeouts",
       [](Director& director, Clock&, const Request& request) {
         const auto timeouts = request.get<protocol::Timeouts>("timeouts");
         return result_of(director.set_timeouts({timeouts.tcp_s, timeouts.tcp_fin_s, timeouts.udp_s}));
       }},
      {"dump",
       [](Director& director, Clock& clock, const Request&) {
         director.expire(clock.now());
         json reply = ok();
         reply["tables"] = tables_of(director, clock.now());
         reply["info"] = protocol::Info();
         reply["sysctls"] = words_of(director.sysctls());
         const Timeouts timeouts = director.timeouts();
         reply["timeouts"] = protocol::Timeouts{timeouts.tcp_s, timeouts.tcp_fin_s, timeouts.udp_s};
         return reply;
       }},
      {"advance",
       [](Director& director, Clock& clock, const Request& request) {
         const auto step = request.get<std::int64_t>("ns");
         if (step < 0) throw BadRequest(fmt::format("ns: {}: time does not go back", step));
         clock.advance(Duration(step));
         json reply = ok();
         reply["expired"] = director.expire(clock.now());
         reply["now_ns"] = clock.now().time_since_epoch().count();
         return reply;
       }},
  };
  return table;
}

}  // namespace

Clock::Clock(bool manual) : manual_(manual), start_ns_(monotonic_ns()) {}

DirectorTime Clock::now() const {
  return DirectorTime(offset_ + (manual_ ? Duration(0) : Duration(monotonic_ns() - start_ns_)));
}

namespace {

/// The protocol has no fractions; and one that is too large for an integer converts to anything.
void expect_whole_numbers(const json& body) {
  std::vector<const json*> open = {&body};  // not by recursion: a line may nest as deeply as it is long
  while (!open.empty()) {
    const json& value = *open.back();
    open.pop_back();
    if (value.is_number_float()) throw BadRequest(fmt::format("{}: not a whole number in range", value.dump()));
    if (value.is_structured())
      for (const json& member : value) open.push_back(&member);
  }
}

}  // namespace

std::string Control::answer(int connection, const std::string& line) {
  json reply;
  try {
    const json body = json::parse(line);
    expect_whole_numbers(body);
    const Request request{body};
    const auto verb = request.get<std::string>("verb");
    if (verb == "stop") {
      stopped_ = true;
      reply = ok();
    } else if (verb == "await_fence") {
      const auto token = request.get<std::uint64_t>("token");
      if (fences_seen_.erase(token) == 0) {
        waiting_.emplace_back(connection, token);
        return {};
      }
      reply = ok();
    } else if (verb == "start_daemon" && sync != nullptr) {
      const Refusal refusal = sync->start(request.get<protocol::Daemon>("daemon"));
      reply = refusal.none() ? ok() : failed(refusal.code, refusal.text);
    } else if (verb == "stop_daemon" && sync != nullptr) {
      const Refusal refusal = sync->stop(request.get<std::string>("role"));
      reply = refusal.none() ? ok() : failed(refusal.code, refusal.text);
    } else if (const auto handler = handlers().find(verb); handler != handlers().end()) {
      director_.expire(clock_.now());  // so that an order finds the tables of its own moment
      reply = handler->second(director_, clock_, request);
      if (sync != nullptr && verb == "advance") sync->flush_due(clock_.now());
      if (sync != nullptr && verb == "dump") reply["daemons"] = sync->list();
      if (verb == "dump") reply["frames"] = frame_counts();
    } else {
      reply = failed("unknown-verb", fmt::format("verb \"{}\" is unknown", verb));
    }
  } catch (const BadRequest& error) {
    reply = failed("bad-request", error.what());
  } catch (const json::exception& error) {
    reply = failed("bad-request", fmt::format("not a JSON object: {}", error.what()));
  }
  // A reply quotes its request, which need not be UTF-8.
  const std::string text = reply.dump(-1, ' ', false, json::error_handler_t::replace);
  log(fmt::format("{:12.6f} s  {}  ->  {}", std::chrono::duration<double>(clock_.now().time_since_epoch()).count(),
                  line, text.size() > 200 ? text.substr(0, 200) + "..." : text));
  return text;
}

std::vector<std::pair<int, std::string>> Control::on_fence(std::uint64_t token) {
  std::vector<std::pair<int, std::string>> replies;
  std::erase_if(waiting_, [&](const auto& wait) {
    if (wait.second != token) return false;
    replies.emplace_back(wait.first, ok().dump());
    return true;
  });
  if (replies.empty()) fences_seen_.insert(token);
  return replies;
}

}  // namespace lvspec::director
