#include "director/core/sip.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

const std::string kLine = "OPTIONS sip:somebody@example.net SIP/2.0\r\n";

std::string read(const std::string& message) { return std::string(call_id_in(std::as_bytes(std::span(message)))); }

struct Message {
  std::string rest, call_id;
};

// What 6.1.176 reads of the same messages is asserted by the cases protocols.sip-*.
TEST(CallId, IsReadFromWhatFollowsTheFirstLine) {
  const std::string longest(255, 'x');
  const std::vector<Message> messages = {
      {"Call-ID: a@example.net\r\n", "a@example.net"},
      {"CALL-id:b\n", "b"},
      {"i: c\r", "c"},
      {"I \t:\t d\r\n", "d"},
      {"Call-ID:\r\n e\r\n", "e"},
      {"Call-ID\n : f\r\n", "f"},
      {"Call-ID: " + longest + "\r\n", longest},
      {"Call-ID: @\r\ni: g@h\r\n", "g@h"},  // a value that is no word: the next header of the name
      {"Call-ID: @\r\ni: @\r\ni: third\r\n", ""},
      {"Call-ID: \r\ni: g@h\r\n", ""},  // no value at all ends the search
      {"Via: x\nCall-ID: {i}<[~]>\r\n", "{i}<[~]>"},
      {"Call-ID: \xe4\xf6\xfc\r\n", "\xe4\xf6\xfc"},  // Latin-1 letters, to the kernel
      {"Call-ID: a@\r\ni: later\r\n", "later"},
      {"Call-ID: \r\n\r\n", ""},
      {"Call-ID: cut-short", ""},
      {"Call-ID: two words\r\n", ""},
      {"Call-ID: a@b@c\r\n", ""},
      {"Call-ID: \xd7\r\n", ""},
      {"Call-ID\r\n", ""},
      {"Call-ID", ""},
      {"Call-ID:", ""},
      {"Call-ID: ", ""},
      {"Call-IDs: a\r\n", ""},
      {"Call-IDs: a\r\nCall-ID: b\r\n", ""},  // a name without a colon ends the search
      {"ii: a\r\n", ""},
      {"i", ""},
      {" Call-ID: of-the-line-before\r\n", ""},
      {"Call-ID: " + longest + "x\r\n", ""},
      {"", ""},
  };
  for (const Message& message : messages) EXPECT_EQ(read(kLine + message.rest), message.call_id) << message.rest;
}

TEST(CallId, IsThatOfAUdpPacketAlone) {
  const std::string message = "OPTIONS sip:x SIP/2.0\r\nCall-ID: a\r\n";
  Packet packet = packet_of({.from = client(1), .protocol = Protocol::kUdp});
  EXPECT_EQ(call_id_of(packet), "");
  packet.payload = std::as_bytes(std::span(message));
  EXPECT_EQ(call_id_of(packet), "a");
  packet.protocol = Protocol::kTcp;
  EXPECT_EQ(call_id_of(packet), "");
}

// Nothing is read beyond the message, wherever it is cut; under the address sanitizer this would say so.
TEST(CallId, IsNeverReadBeyondTheEnd) {
  const std::string whole = kLine + "Call-ID\r\n : \r\n a@b\r\n";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    const std::string_view found = call_id_in(std::as_bytes(std::span(exact)));
    EXPECT_EQ(found, length + 1 >= whole.size() ? "a@b" : "") << length;
  }
}

}  // namespace
}  // namespace lvspec::director
