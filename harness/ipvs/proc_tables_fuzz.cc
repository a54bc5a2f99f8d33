// /proc/net/ip_vs_conn and ip_vs_conn_sync: entries, or an error that quotes the line.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "harness/ipvs/proc_tables.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto entries = lvspec::parse_connections({reinterpret_cast<const char*>(data), size});
  if (!entries.ok() && entries.error().message.empty()) std::abort();
  return 0;
}
