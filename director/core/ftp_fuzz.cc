// Payloads of an FTP control connection: whatever a segment says, the endpoint read from it lies within the segment,
// and what is written instead can be read again.
// Input: one payload.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "director/core/ftp.h"

using namespace lvspec::director;

namespace {

void require(bool so) {
  if (!so) std::abort();
}

// Writes the answer again, with the longest address, and reads it.
void check(std::string_view payload, const FtpEndpoint& endpoint, bool extended, Family family) {
  require(endpoint.begin < endpoint.end && endpoint.end <= payload.size());
  FtpEdit edit;
  const Address longest = Address::v4(0xffffffff);
  const std::size_t length = extended ? write_extended_passive_answer(edit.inserted, endpoint.port)
                                      : write_passive_answer(edit.inserted, longest, endpoint.port);
  require(length < edit.inserted.size() && length <= kFtpLongestGrowth);
  std::string again(payload.substr(0, endpoint.begin));
  again.append(edit.inserted.data(), length).append(payload.substr(endpoint.end)).append(")");
  const auto read = extended ? extended_passive_answer_in(again, family) : passive_answer_in(again);
  if (!extended && endpoint.end < payload.size() && payload[endpoint.end] == ',') return;  // a seventh number
  require(read && read->port == endpoint.port && read->begin == endpoint.begin);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // In memory of its own size, so that a byte too far is noticed.
  const std::string copy(reinterpret_cast<const char*>(data), size);
  const std::string_view payload(copy.data(), copy.size());
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    passive_request_in(payload, family);
    if (const auto endpoint = active_request_in(payload, family)) {
      require(endpoint->begin < endpoint->end && endpoint->end <= size);
    }
    if (const auto endpoint = extended_passive_answer_in(payload, family)) check(payload, *endpoint, true, family);
  }
  if (const auto endpoint = passive_answer_in(payload)) check(payload, *endpoint, false, Family::kIpv4);
  return 0;
}
