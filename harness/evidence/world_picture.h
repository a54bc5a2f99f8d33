#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// What a case built and told its director, for a drawing: the services as they were first set up, not what later
/// edits made of them, which the history tells.
struct WorldPicture {
  struct Server {
    std::string name;     ///< "real1"; "director" for one of its own
    std::string address;  ///< "203.0.113.11:80"
    std::string
        method;  ///< as `ipvsadm -L` shows it, "Route", "Masq", "Tunnel"; with the kind of tunnel: "Tunnel gre"
    int weight = 1;
  };
  struct Service {
    std::string title;  ///< "TCP 198.51.100.10:80 rr persistent 300"
    std::vector<Server> servers;
  };

  std::vector<std::string> clients;  ///< "192.0.2.1 .. 192.0.2.3", one for each family
  std::vector<std::string> vips;
  std::string director, standby;   ///< DIPs; no standby: empty
  std::vector<std::string> marks;  ///< "-d 198.51.100.10/32 -p tcp --dport 80 -> mark 8"
  std::vector<Service> services;
};

/// The picture as JSON, and back. Error: it is none, in what.
std::string to_json_text(const WorldPicture& picture);
Result<WorldPicture> read_world_picture(const std::string& json);

/// Whose words a drawing has: English, or Chinese.
enum class DrawingWords { kEnglish, kChinese };

/// Who stands where, and which way packets go:
///
///   clients 192.0.2.1 .. 192.0.2.3
///     |
///     |  to VIP 198.51.100.10
///     v
///   director 203.0.113.1
///     |
///     +-- TCP 198.51.100.10:80 rr persistent 300
///           +-- direct routing --> real1 203.0.113.11:80
///           +-- direct routing --> real2 203.0.113.12:80, weight 2
///
///   answers: direct routing: from the real server straight to the client
std::string draw_world(const WorldPicture& picture, DrawingWords words = DrawingWords::kEnglish);

}  // namespace lvspec
