#include "director/core/sync_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

namespace lvspec::director {
namespace {

using ::testing::SizeIs;

using Bytes = std::vector<std::byte>;

/// Bytes from hex digits; spaces are for the reader.
Bytes hex(const std::string& digits) {
  Bytes bytes;
  int high = -1;
  for (const char c : digits) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::byte>(16 * high + digit));
      high = -1;
    }
  }
  return bytes;
}

std::string text_of(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[std::to_integer<int>(byte >> 4)];
    text += "0123456789abcdef"[std::to_integer<int>(byte & std::byte{15})];
  }
  return text;
}

// Worked out by hand from the layout of version 1: a template of 192.0.2.1 for port 80 of 198.51.100.10, which leads
// to 203.0.113.11:80 by direct routing (flags: direct route 3 + no output 0x80 + inactive 0x100 + template 0x1000 =
// 0x1183), ASSURED, 300 s = 0x12c.
const std::string kTemplate =
    "00 06 0024 00001183 0001 0000 0050 0050 00000000 0000012c"
    "c0000201 c633640a cb00710b";
SyncEntry template_entry() {
  SyncEntry entry;
  entry.protocol = 6;
  entry.flags = 0x1183;
  entry.state = 1;
  entry.virtual_port = 80;
  entry.server_port = 80;
  entry.timeout_s = 300;
  entry.client = Address::v4(0xc0000201);
  entry.virtual_address = Address::v4(0xc633640a);
  entry.server = Address::v4(0xcb00710b);
  return entry;
}

// A connection over IPv6 (type 1; 72 = 0x48 bytes and two options: 26 + 7 + 5 = 38 = 0x26, together 0x6e) of mark 8.
const std::string kConnection6 =
    "01 06 006e 00000600 0004 9c40 0050 1f90 00000008 00000078"
    "20010db8 00020000 00000000 00000001"
    "20010db8 00510000 00000000 00000010"
    "20010db8 01130000 00000000 0000000b"
    "01 18 00000001 00000002 00000003 00000004 00000005 00000006"
    "02 05 6340782e31"  // "c@x.1"
    "03 03 736970";     // "sip"
SyncEntry connection6_entry() {
  SyncEntry entry;
  entry.family = Family::kIpv6;
  entry.protocol = 6;
  entry.flags = 0x600;
  entry.state = 4;
  entry.client_port = 40000;
  entry.virtual_port = 80;
  entry.server_port = 8080;
  entry.fwmark = 8;
  entry.timeout_s = 120;
  entry.client = {{0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  entry.virtual_address = {{0x20, 1, 0xd, 0xb8, 0, 0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}};
  entry.server = {{0x20, 1, 0xd, 0xb8, 1, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xb}};
  entry.sequence = SequenceData{{1, 2, 3}, {4, 5, 6}};
  entry.engine_data = "c@x.1";
  entry.engine = "sip";
  return entry;
}

void expect_same(const SyncEntry& read, const SyncEntry& wanted) {
  EXPECT_EQ(read.family, wanted.family);
  EXPECT_EQ(read.protocol, wanted.protocol);
  EXPECT_EQ(read.flags, wanted.flags);
  EXPECT_EQ(read.state, wanted.state);
  EXPECT_EQ(read.client_port, wanted.client_port);
  EXPECT_EQ(read.virtual_port, wanted.virtual_port);
  EXPECT_EQ(read.server_port, wanted.server_port);
  EXPECT_EQ(read.fwmark, wanted.fwmark);
  EXPECT_EQ(read.timeout_s, wanted.timeout_s);
  EXPECT_EQ(read.client, wanted.client);
  EXPECT_EQ(read.virtual_address, wanted.virtual_address);
  EXPECT_EQ(read.server, wanted.server);
  EXPECT_EQ(read.sequence, wanted.sequence);
  EXPECT_EQ(read.engine_data, wanted.engine_data);
  EXPECT_EQ(read.engine, wanted.engine);
}

// 8 + 36 + 110 = 154 = 0x9a bytes; the connection of 110 bytes needs 2 bytes of padding before a third entry, which
// makes 156 + 36 = 192 = 0xc0.
const std::string kMessage = "00 07 00c0 03 01 0000" + kTemplate + kConnection6 + "0000" + kTemplate;

TEST(SyncMessage, Version1AsWorkedOutByHand) {
  std::array<std::byte, 1472> memory{};
  memory.fill(std::byte{0xee});
  SyncMessageWriter writer(memory, memory.size(), 1, 7);
  EXPECT_TRUE(writer.empty());
  SyncEntry hashed = template_entry();
  hashed.flags |= sync_flags::kHashed;  // means something at home only
  ASSERT_TRUE(writer.add(hashed));
  ASSERT_TRUE(writer.add(connection6_entry()));
  EXPECT_EQ(text_of(writer.message()).substr(0, 16), text_of(hex("00 07 009a 02 01 0000")));
  ASSERT_TRUE(writer.add(template_entry()));
  EXPECT_EQ(text_of(writer.message()), text_of(hex(kMessage)));

  const Bytes bytes = hex(kMessage);
  const SyncMessage read = decode_sync_message(bytes);
  EXPECT_EQ(read.defect, SyncDefect::kNone);
  EXPECT_EQ(read.version, 1);
  EXPECT_EQ(read.sync_id, 7);
  ASSERT_THAT(read.entries, SizeIs(3));
  expect_same(read.entries[0], template_entry());
  expect_same(read.entries[1], connection6_entry());
  expect_same(read.entries[2], template_entry());
}

// Version 0: 4 bytes of header, 24 an entry, 24 more with sequence data: 4 + 48 + 24 = 76 = 0x4c.
TEST(SyncMessage, Version0AsWorkedOutByHand) {
  const std::string bytes =
      "02 07 004c"
      "00 06 9c40 0050 0050 c0000201 c633640a cb00710b 0600 0004"
      "00000001 00000002 00000003 00000004 00000005 00000006"
      "00 06 0000 0050 0050 c0000201 c633640a cb00710b 1183 0001";
  SyncEntry connection = connection6_entry();
  connection.family = Family::kIpv4;
  connection.server_port = 80;
  connection.client = template_entry().client;
  connection.virtual_address = template_entry().virtual_address;
  connection.server = template_entry().server;
  std::array<std::byte, 1472> memory{};
  SyncMessageWriter writer(memory, memory.size(), 0, 7);
  ASSERT_TRUE(writer.add(connection));
  ASSERT_TRUE(writer.add(template_entry()));
  EXPECT_FALSE(writer.add(connection6_entry()));  // no words for it
  EXPECT_EQ(text_of(writer.message()), text_of(hex(bytes)));

  connection.fwmark = connection.timeout_s = 0;  // are not said
  connection.engine_data = connection.engine = {};
  SyncEntry tmpl = template_entry();
  tmpl.timeout_s = 0;
  const Bytes datagram = hex(bytes);
  const SyncMessage read = decode_sync_message(datagram);
  EXPECT_EQ(read.defect, SyncDefect::kNone);
  EXPECT_EQ(read.version, 0);
  EXPECT_EQ(read.sync_id, 7);
  ASSERT_THAT(read.entries, SizeIs(2));
  expect_same(read.entries[0], connection);
  expect_same(read.entries[1], tmpl);
}

TEST(SyncMessage, IsFullAtTheEndOfItsMemoryAndStaysAsItWas) {
  std::array<std::byte, 500> memory{};
  SyncMessageWriter writer(memory, memory.size(), 1, 0);
  int count = 0;
  while (writer.add(template_entry())) ++count;
  EXPECT_EQ(count, (500 - 8) / 36);
  EXPECT_EQ(writer.message().size(), 8U + 13 * 36);
  EXPECT_THAT(decode_sync_message(writer.message()).entries, SizeIs(13));
}

TEST(SyncMessage, TheLimitHoldsFromTheSecondEntryOn) {
  std::array<std::byte, SyncMessageWriter::kLargestSingle> memory{};
  SyncMessageWriter writer(memory, 20, 1, 0);
  EXPECT_TRUE(writer.add(connection6_entry()));
  EXPECT_FALSE(writer.add(template_entry()));
  EXPECT_EQ(decode_sync_message(writer.message()).defect, SyncDefect::kNone);
}

TEST(SyncMessage, HasOneByteForTheNumberOfEntries) {
  std::vector<std::byte> memory(65535);
  SyncMessageWriter writer(memory, memory.size(), 1, 0);
  int count = 0;
  while (writer.add(template_entry())) ++count;
  EXPECT_EQ(count, 255);
  EXPECT_THAT(decode_sync_message(writer.message()).entries, SizeIs(255));
}

/// The message cut to `size` bytes, with a header that owns up to it or not.
SyncMessage decode_cut(Bytes bytes, std::size_t size, bool honest) {
  bytes.resize(size);
  if (honest && size >= 4) {
    bytes[2] = static_cast<std::byte>(size >> 8);
    bytes[3] = static_cast<std::byte>(size);
  }
  return decode_sync_message(Bytes(bytes));
}

TEST(SyncMessage, CutAtEveryLength) {
  const Bytes whole = hex(kMessage);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    EXPECT_EQ(decode_cut(whole, size, false).defect, size < 4 ? SyncDefect::kHeaderCut : SyncDefect::kWrongSize);
    const SyncMessage read = decode_cut(whole, size, true);
    if (size < 4) {
      EXPECT_EQ(read.defect, SyncDefect::kHeaderCut);
    } else if (size < 8) {
      // Too short for version 1, it is read as one of version 0, which has no entries.
      EXPECT_EQ(read.version, 0);
      EXPECT_EQ(read.defect, SyncDefect::kNone);
      EXPECT_THAT(read.entries, SizeIs(0));
    } else {
      const std::size_t left = size < 44 ? size - 8 : size < 154 ? size - 44 : size < 156 ? 0 : size - 156;
      EXPECT_EQ(read.defect, left < 36 ? SyncDefect::kEntryCut : SyncDefect::kEntryBeyondMessage);
      EXPECT_THAT(read.entries, SizeIs(size < 44 ? 0 : size < 154 ? 1 : 2));
    }
  }
}

TEST(SyncMessage, Version0CutAtEveryLength) {
  const Bytes whole =
      hex("02 07 004c"
          "00 06 9c40 0050 0050 c0000201 c633640a cb00710b 0600 0004"
          "00000001 00000002 00000003 00000004 00000005 00000006"
          "00 06 0000 0050 0050 c0000201 c633640a cb00710b 1183 0001");
  for (std::size_t size = 4; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    const SyncMessage read = decode_cut(whole, size, true);
    EXPECT_EQ(read.defect, size >= 28 && size < 52 ? SyncDefect::kSequenceOption : SyncDefect::kEntryCut);
    EXPECT_THAT(read.entries, SizeIs(size < 52 ? 0 : 1));
  }
}

/// One entry with `options` behind its fixed part, then the good template; or `entry` instead of that entry.
SyncMessage decode_with(const std::string& entry, int entries = 2) {
  const Bytes first = hex(entry), second = hex(kTemplate);
  Bytes bytes = hex("00 00 0000 00 01 0000");
  bytes[4] = static_cast<std::byte>(entries);
  bytes.insert(bytes.end(), first.begin(), first.end());
  while (bytes.size() % 4 != 0) bytes.push_back(std::byte{0});
  bytes.insert(bytes.end(), second.begin(), second.end());
  bytes[2] = static_cast<std::byte>(bytes.size() >> 8);
  bytes[3] = static_cast<std::byte>(bytes.size());
  return decode_sync_message(bytes);
}
std::string with_options(const std::string& options) {
  const std::size_t size = 36 + hex(options).size();
  std::string entry = kTemplate;
  const Bytes length = {static_cast<std::byte>(size >> 8), static_cast<std::byte>(size)};
  entry.replace(6, 4, text_of(length));
  return entry + options;
}
const std::string kSequenceData = "00000001 00000002 00000003 00000004 00000005 00000006";

struct Case {
  const char* name;
  std::string entry;
  SyncDefect defect;
  std::size_t entries_left;
};

TEST(SyncMessage, EveryFlawHasItsName) {
  std::string other_version = kTemplate, other_type = kTemplate, six = kTemplate, no_length = kTemplate,
              too_long = kTemplate;
  other_version.replace(6, 4, "1024");
  other_type.replace(0, 2, "02");
  six.replace(0, 2, "01");
  no_length.replace(6, 4, "0000");
  too_long.replace(6, 4, "0fff");
  const std::string name17 = "03 11 " + text_of(Bytes(17, std::byte{'x'}));
  const Case cases[] = {
      {"entry version", other_version, SyncDefect::kEntryVersion, 0},
      {"entry type", other_type, SyncDefect::kEntryType, 0},
      {"IPv6 without room for it", six, SyncDefect::kEntryTooShort, 0},
      {"no length", no_length, SyncDefect::kEntryTooShort, 0},
      {"longer than the message", too_long, SyncDefect::kEntryBeyondMessage, 0},
      {"option without length", with_options("01"), SyncDefect::kOptionCut, 0},
      {"empty option", with_options("0200"), SyncDefect::kOptionLength, 0},
      {"option beyond its entry", with_options("020361"), SyncDefect::kOptionLength, 0},
      {"short sequence", with_options("01 04 00000001"), SyncDefect::kSequenceOption, 0},
      {"two sequences", with_options("01 18" + kSequenceData + "01 18" + kSequenceData), SyncDefect::kSequenceOption,
       0},
      {"data twice", with_options("02 01 61 02 01 61 03 01 61"), SyncDefect::kEngineDataOption, 0},
      {"name twice", with_options("02 01 61 03 01 61 03 01 61"), SyncDefect::kEngineNameOption, 0},
      {"name too long", with_options("02 01 61" + name17), SyncDefect::kEngineNameOption, 0},
      {"unknown option", with_options("05 01 61"), SyncDefect::kUnknownOption, 1},
      {"unknown option that may be ignored", with_options("45 01 61"), SyncDefect::kNone, 2},
      {"known option that may be ignored", with_options("42 01 61 43 01 62"), SyncDefect::kNone, 2},
      {"data without name", with_options("02 01 61"), SyncDefect::kEngineIncomplete, 1},
      {"name without data", with_options("03 01 61"), SyncDefect::kNone, 2},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const SyncMessage read = decode_with(one.entry);
    EXPECT_EQ(read.defect, one.defect) << lvspec::director::text_of(read.defect);
    EXPECT_THAT(read.entries, SizeIs(one.entries_left));
  }
  EXPECT_EQ(decode_with(kTemplate, 3).defect, SyncDefect::kEntryCut);
  EXPECT_THAT(decode_with(kTemplate, 1).entries, SizeIs(1));  // what follows the announced entries is not looked at
}

// A backup takes over what SYN-11 lists; of version 0 it takes the word as it is.
TEST(SyncMessage, FlagsOfVersion1AreThoseThatABackupTakes) {
  std::array<std::byte, 1472> memory{};
  SyncEntry entry = template_entry();
  entry.flags = 0xffffffff & ~sync_flags::kSequence;
  SyncMessageWriter one(memory, memory.size(), 1, 0);
  ASSERT_TRUE(one.add(entry));
  EXPECT_EQ(decode_sync_message(one.message()).entries.at(0).flags, 0x1987U);
  SyncMessageWriter zero(memory, memory.size(), 0, 0);
  ASSERT_TRUE(zero.add(entry));
  EXPECT_EQ(decode_sync_message(zero.message()).entries.at(0).flags, 0xf9bfU);  // without the sender's hashed bit
}

// A header whose spare fields are not zero is no version 1, whatever its version says.
TEST(SyncMessage, OldMessagesAreThoseThatAreNotNew) {
  const std::string v0 = "01 00 001c 00 06 0000 0050 0050 c0000201 c633640a cb00710b 1183 0001";
  EXPECT_EQ(decode_sync_message(hex(v0)).version, 0);
  Bytes spare = hex("00 00 0008 00 01 0001");
  EXPECT_EQ(decode_sync_message(spare).version, 0);
}

}  // namespace
}  // namespace lvspec::director
