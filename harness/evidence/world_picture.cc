#include "harness/evidence/world_picture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

namespace lvspec {
namespace {

using nlohmann::json;

struct Words {
  const char *clients, *to_vip, *director, *standby, *local, *no_service, *no_server, *weight, *marks, *answers;
  const char *route, *masq, *tunnel, *straight, *back;
};
constexpr Words kEnglish{"clients",
                         "to VIP {}",
                         "director",
                         "standby",
                         "the director itself",
                         "(no virtual service)",
                         "(no real server)",
                         "weight {}",
                         "firewall marks:",
                         "answers: ",
                         "direct routing",
                         "NAT",
                         "tunnel",
                         "from the real server straight to the client",
                         "back through the director, which makes the VIP their source again"};
constexpr Words kChinese{"客户端",
                         "发往虚拟地址 (VIP) {}",
                         "调度器",
                         "备用调度器",
                         "调度器自身",
                         "（没有虚拟服务）",
                         "（没有真实服务器）",
                         "权重 {}",
                         "防火墙标记：",
                         "应答：",
                         "直接路由 (DR)",
                         "地址转换 (NAT)",
                         "隧道 (TUN)",
                         "由真实服务器直接发给客户端",
                         "经调度器返回，源地址改回 VIP"};

const Words& words_in(DrawingWords words) { return words == DrawingWords::kChinese ? kChinese : kEnglish; }

/// The method in the reader's words, with the kind of tunnel where there is one: "tunnel gre".
std::string method_in(const Words& words, const std::string& method) {
  if (method == "Route") return words.route;
  if (method == "Masq") return words.masq;
  const std::string kind = method.starts_with("Tunnel") ? method.substr(6) : " " + method;
  return words.tunnel + kind;
}

std::string text_of(const WorldPicture::Server& server, const Words& words) {
  std::string text = fmt::format("{} {}", server.name == "director" ? words.local : server.name, server.address);
  if (server.weight != 1) text += ", " + fmt::format(fmt::runtime(words.weight), server.weight);
  return text;
}

std::vector<std::string> texts(const json& value) { return value.get<std::vector<std::string>>(); }

}  // namespace

std::string to_json_text(const WorldPicture& picture) {
  json services = json::array();
  for (const auto& service : picture.services) {
    json servers = json::array();
    for (const auto& server : service.servers)
      servers.push_back(
          {{"name", server.name}, {"address", server.address}, {"method", server.method}, {"weight", server.weight}});
    services.push_back({{"title", service.title}, {"servers", servers}});
  }
  return json{{"clients", picture.clients}, {"vips", picture.vips},   {"director", picture.director},
              {"standby", picture.standby}, {"marks", picture.marks}, {"services", services}}
             .dump(2) +
         "\n";
}

Result<WorldPicture> read_world_picture(const std::string& text) {
  try {
    const json in = json::parse(text);
    WorldPicture picture{.clients = texts(in.at("clients")),
                         .vips = texts(in.at("vips")),
                         .director = in.at("director").get<std::string>(),
                         .standby = in.at("standby").get<std::string>(),
                         .marks = texts(in.at("marks")),
                         .services = {}};
    for (const json& row : in.at("services")) {
      WorldPicture::Service service{row.at("title").get<std::string>(), {}};
      for (const json& server : row.at("servers"))
        service.servers.push_back({server.at("name").get<std::string>(), server.at("address").get<std::string>(),
                                   server.at("method").get<std::string>(), server.at("weight").get<int>()});
      picture.services.push_back(std::move(service));
    }
    return picture;
  } catch (const json::exception& error) {
    return Error{fmt::format("the picture of the world: {}", error.what())};
  }
}

std::string draw_world(const WorldPicture& picture, DrawingWords language) {
  const Words& words = words_in(language);
  std::string out = fmt::format("{} {}\n  |\n", words.clients, fmt::join(picture.clients, ", "));
  if (!picture.vips.empty())
    out += fmt::format("  |  {}\n", fmt::format(fmt::runtime(words.to_vip), fmt::join(picture.vips, ", ")));
  out += fmt::format("  v\n{} {}", words.director, picture.director);
  if (!picture.standby.empty()) out += fmt::format("    {} {}", words.standby, picture.standby);
  out += '\n';
  if (!picture.marks.empty()) {
    out += fmt::format("  |  {}\n", words.marks);
    for (const std::string& mark : picture.marks) out += fmt::format("  |    {}\n", mark);
  }
  if (picture.services.empty()) out += fmt::format("  |\n  +-- {}\n", words.no_service);
  std::set<std::string> methods;
  for (std::size_t i = 0; i < picture.services.size(); ++i) {
    const auto& service = picture.services[i];
    const char* trunk = i + 1 < picture.services.size() ? "  |" : "   ";
    out += fmt::format("  |\n  +-- {}\n", service.title);
    if (service.servers.empty()) out += fmt::format("{}     +-- {}\n", trunk, words.no_server);
    for (const auto& server : service.servers) {
      out += fmt::format("{}     +-- {} --> {}\n", trunk, method_in(words, server.method), text_of(server, words));
      methods.insert(server.method);
    }
  }
  if (!methods.empty()) out += '\n';
  for (const std::string& method : methods)
    out += fmt::format("{}{}: {}\n", words.answers, method_in(words, method),
                       method == "Masq" ? words.back : words.straight);
  return out;
}

}  // namespace lvspec
