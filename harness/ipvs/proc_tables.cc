#include "harness/ipvs/proc_tables.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <optional>

#include "harness/base/file_descriptor.h"

namespace lvspec {
namespace {

template <typename Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "C0000201", or eight groups of four digits with colons between them.
std::optional<IpAddress> address(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    Result<IpAddress> v6 = IpAddress::parse(text);
    return v6.ok() ? std::optional(*v6) : std::nullopt;
  }
  const auto v4 = number<std::uint32_t>(text, 16);
  return v4 && text.size() == 8 ? std::optional(IpAddress::v4(*v4)) : std::nullopt;
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  for (std::size_t at = 0; (at = line.find_first_not_of(' ', at)) != std::string_view::npos;) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    found.push_back(line.substr(at, end - at));
    at = end;
  }
  return found;
}

std::optional<ProcEntry> parse_line(std::string_view line, bool sync) {
  const std::vector<std::string_view> word = words(line);
  const std::size_t expires_at = sync ? 9 : 8;
  if (word.size() <= expires_at) return std::nullopt;
  ProcEntry entry;
  entry.protocol = word[0];
  Endpoint* const ends[] = {&entry.client, &entry.target, &entry.server};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto ip = address(word[1 + 2 * i]);
    const auto port = number<std::uint16_t>(word[2 + 2 * i], 16);
    if (!ip || !port) return std::nullopt;
    *ends[i] = {*ip, *port};
  }
  entry.state = word[7];
  if (sync) entry.origin = word[8];
  const auto expires = number<std::uint32_t>(word[expires_at], 10);
  if (!expires) return std::nullopt;
  entry.expires_s = *expires;
  if (!sync && word.size() > 9) entry.pe_name = word[9];
  if (!sync && word.size() > 10) entry.pe_data = line.substr(static_cast<std::size_t>(word[10].data() - line.data()));
  entry.is_template = entry.client.port == 0 && (entry.state == "NONE" || entry.state == "ASSURED");
  return entry;
}

}  // namespace

Result<std::vector<ProcEntry>> parse_connections(std::string_view text) {
  const std::string_view title = text.substr(0, text.find('\n'));
  if (!title.starts_with("Pro FromIP")) return Error{fmt::format("ip_vs_conn: \"{}\" is not its title", title)};
  const bool sync = title.find("Origin") != std::string_view::npos;
  text.remove_prefix(std::min(title.size() + 1, text.size()));
  std::vector<ProcEntry> entries;
  for (int line_number = 2; !text.empty(); ++line_number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::optional<ProcEntry> entry = parse_line(line, sync);
    if (!entry) return Error{fmt::format("ip_vs_conn: line {}: \"{}\" is not an entry", line_number, line)};
    entries.push_back(*std::move(entry));
  }
  return entries;
}

Result<std::string> read_proc_file(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return system_error(fmt::format("open({})", path));
  std::string text;
  char chunk[65536];
  for (;;) {
    const ssize_t count = read(file.get(), chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(fmt::format("read({})", path));
    if (count == 0) return text;
    text.append(chunk, static_cast<std::size_t>(count));
  }
}

Result<std::vector<ProcEntry>> read_connections(const NetworkNamespace& netns, ConnectionFile file) {
  const std::string name = file == ConnectionFile::kSync ? "ip_vs_conn_sync" : "ip_vs_conn";
  // /proc/net is that of the process; the thread's own is elsewhere.
  Result<std::string> text = netns.call([&] { return read_proc_file("/proc/thread-self/net/" + name); });
  if (!text.ok()) return text.error().in(netns.name());
  return parse_connections(*text);
}

}  // namespace lvspec
