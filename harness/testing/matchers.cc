#include "harness/testing/matchers.h"

#include <fmt/format.h>

namespace lvspec::testing {
namespace {

template <typename T>
bool agrees(const std::optional<T>& wanted, const T& found) {
  return !wanted || *wanted == found;
}

}  // namespace

bool fits(const Entry& entry, const EntryParts& parts) {
  using std::chrono::seconds;
  const auto left = entry.expires_in;
  const bool in_time = !parts.expires || (left <= *parts.expires && left > *parts.expires - seconds(1));
  return agrees(parts.protocol, entry.protocol) && agrees(parts.client, entry.client.address) &&
         agrees(parts.cport, entry.client.port) && agrees(parts.vip, entry.target.address) &&
         agrees(parts.vport, entry.target.port) && agrees(parts.server, entry.server.address) &&
         agrees(parts.sport, entry.server.port) && agrees(parts.state, entry.state) &&
         agrees(parts.engine_data, entry.engine_data) && in_time;
}

std::string describe(const EntryParts& parts) {
  std::string text;
  const auto say = [&](const char* name, const std::string& value) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
  };
  if (parts.protocol) say("protocol", *parts.protocol);
  if (parts.client) say("client", parts.client->str());
  if (parts.cport) say("client port", std::to_string(*parts.cport));
  if (parts.vip) say("virtual address", parts.vip->str());
  if (parts.vport) say("virtual port", std::to_string(*parts.vport));
  if (parts.server) say("real server", parts.server->str());
  if (parts.sport) say("real server port", std::to_string(*parts.sport));
  if (parts.state) say("state", *parts.state);
  if (parts.engine_data) say("engine data", *parts.engine_data);
  if (parts.expires) say("expiring in", fmt::format("{} s", parts.expires->count()));
  return text.empty() ? "anything" : text;
}

}  // namespace lvspec::testing
