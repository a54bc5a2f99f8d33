#include "director/core/sync_message.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace lvspec::director {
namespace {

constexpr std::size_t kHeader0 = 4, kHeader1 = 8;
constexpr std::size_t kEntry0 = 24, kSequence = 24;
constexpr std::size_t kFixed = 24, kEntry4 = kFixed + 3 * 4, kEntry6 = kFixed + 3 * 16;
constexpr std::size_t kMostEntries = 255;  // the header has one byte for them
constexpr std::size_t kAlignment = 4;

constexpr std::uint8_t kOptionSequence = 1, kOptionEngineData = 2, kOptionEngineName = 3, kMayBeIgnored = 0x40;
constexpr std::size_t kLongestData = 255, kLongestName = 16;

std::size_t address_size(Family family) { return family == Family::kIpv6 ? 16 : 4; }

/// Big-endian fields, one after the other.
class Writer {
 public:
  explicit Writer(std::byte* at) : at_(at) {}

  template <typename T>
  void put(T value) {
    for (std::size_t i = sizeof(T); i-- > 0;) *at_++ = static_cast<std::byte>(value >> (8 * i));
  }
  void put(const Address& address, std::size_t size) {
    std::memcpy(at_, address.bytes.data(), size);
    at_ += size;
  }
  void put(const SequenceData& data) {
    for (const SequenceShift* shift : {&data.in, &data.out}) {
      put(shift->initial);
      put(shift->delta);
      put(shift->previous_delta);
    }
  }
  void option(std::uint8_t type, std::string_view data) {
    put(type);
    put(static_cast<std::uint8_t>(data.size()));
    std::memcpy(at_, data.data(), data.size());
    at_ += data.size();
  }

 private:
  std::byte* at_;
};

/// The same, read; whoever uses it has looked that they are there.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size(); }
  template <typename T>
  T get() {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | std::to_integer<T>(bytes_[i]));
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }
  Address address(std::size_t size) {
    Address address;
    std::memcpy(address.bytes.data(), bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return address;
  }
  SequenceData sequence() {
    SequenceData data;
    for (SequenceShift* shift : {&data.in, &data.out}) {
      shift->initial = get<std::uint32_t>();
      shift->delta = get<std::uint32_t>();
      shift->previous_delta = get<std::uint32_t>();
    }
    return data;
  }
  std::span<const std::byte> take(std::size_t size) {
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
};

std::string_view text_in(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::size_t size_of(const SyncEntry& entry, int version) {
  if (version == 0) return kEntry0 + (entry.sequence ? kSequence : 0);
  std::size_t size = entry.family == Family::kIpv6 ? kEntry6 : kEntry4;
  if (entry.sequence) size += 2 + kSequence;
  if (!entry.engine.empty()) size += 2 + entry.engine_data.size() + 2 + entry.engine.size();
  return size;
}

// Whether an entry of version 0 is followed by its sequence data is said by the flags alone.
std::uint32_t flags_to_send(const SyncEntry& entry) {
  const std::uint32_t flags = entry.flags & ~sync_flags::kHashed;
  return entry.sequence ? flags : flags & ~sync_flags::kSequence;
}

void write_entry0(Writer out, const SyncEntry& entry) {
  out.put(std::uint8_t{0});
  out.put(entry.protocol);
  out.put(entry.client_port);
  out.put(entry.virtual_port);
  out.put(entry.server_port);
  out.put(entry.client, 4);
  out.put(entry.virtual_address, 4);
  out.put(entry.server, 4);
  out.put(static_cast<std::uint16_t>(flags_to_send(entry)));
  out.put(entry.state);
  if (entry.sequence) out.put(*entry.sequence);
}

void write_entry1(Writer out, const SyncEntry& entry) {
  const std::size_t address = address_size(entry.family);
  out.put(static_cast<std::uint8_t>(entry.family == Family::kIpv6 ? 1 : 0));
  out.put(entry.protocol);
  out.put(static_cast<std::uint16_t>(size_of(entry, 1)));
  out.put(flags_to_send(entry));
  out.put(entry.state);
  out.put(entry.client_port);
  out.put(entry.virtual_port);
  out.put(entry.server_port);
  out.put(entry.fwmark);
  out.put(entry.timeout_s);
  out.put(entry.client, address);
  out.put(entry.virtual_address, address);
  out.put(entry.server, address);
  if (entry.sequence) {
    out.put(kOptionSequence);
    out.put(static_cast<std::uint8_t>(kSequence));
    out.put(*entry.sequence);
  }
  if (!entry.engine.empty()) {
    out.option(kOptionEngineData, entry.engine_data);
    out.option(kOptionEngineName, entry.engine);
  }
}

bool ends_message(SyncDefect defect) { return defect != SyncDefect::kNone && defect < SyncDefect::kUnknownOption; }

/// The options behind an entry of version 1.
SyncDefect read_options(Reader in, SyncEntry* entry) {
  bool has_data = false, has_name = false;
  while (in.left() > 0) {
    if (in.left() < 2) return SyncDefect::kOptionCut;
    const auto type = in.get<std::uint8_t>();
    const auto length = in.get<std::uint8_t>();
    if (length == 0 || length > in.left()) return SyncDefect::kOptionLength;
    const auto data = in.take(length);
    switch (type & ~kMayBeIgnored) {
      case kOptionSequence:
        if (length != kSequence || entry->sequence) return SyncDefect::kSequenceOption;
        entry->sequence = Reader(data).sequence();
        break;
      case kOptionEngineData:
        if (length > kLongestData || has_data) return SyncDefect::kEngineDataOption;
        has_data = true;
        entry->engine_data = text_in(data);
        break;
      case kOptionEngineName:
        if (length > kLongestName || has_name) return SyncDefect::kEngineNameOption;
        has_name = true;
        entry->engine = text_in(data);
        break;
      default:
        // The kernel stops reading here, so what follows in this entry cannot be wrong.
        if ((type & kMayBeIgnored) == 0) return SyncDefect::kUnknownOption;
    }
  }
  if (has_data && !has_name) return SyncDefect::kEngineIncomplete;
  if (!has_data) entry->engine = {};  // a name alone says nothing
  return SyncDefect::kNone;
}

SyncDefect read_entry1(std::span<const std::byte> bytes, SyncEntry* entry) {
  Reader in(bytes);
  const auto type = in.get<std::uint8_t>();
  if ((type & 1) != 0) {
    entry->family = Family::kIpv6;
  } else if (type != 0) {
    return SyncDefect::kEntryType;
  }
  if (bytes.size() < (entry->family == Family::kIpv6 ? kEntry6 : kEntry4)) return SyncDefect::kEntryTooShort;
  const std::size_t address = address_size(entry->family);
  entry->protocol = in.get<std::uint8_t>();
  in.take(2);  // version and size: known
  entry->flags = in.get<std::uint32_t>() & sync_flags::kTakenOver;
  entry->state = in.get<std::uint16_t>();
  entry->client_port = in.get<std::uint16_t>();
  entry->virtual_port = in.get<std::uint16_t>();
  entry->server_port = in.get<std::uint16_t>();
  entry->fwmark = in.get<std::uint32_t>();
  entry->timeout_s = in.get<std::uint32_t>();
  entry->client = in.address(address);
  entry->virtual_address = in.address(address);
  entry->server = in.address(address);
  return read_options(in, entry);
}

void note(SyncMessage* message, SyncDefect defect) {
  if (message->defect == SyncDefect::kNone) message->defect = defect;
}

void read_entries1(std::span<const std::byte> rest, std::size_t count, SyncMessage* message) {
  for (std::size_t i = 0; i < count; ++i) {
    if (rest.size() < kEntry4) return note(message, SyncDefect::kEntryCut);
    const auto version_and_size = Reader(rest.subspan(2)).get<std::uint16_t>();
    const std::size_t size = version_and_size & 0x0fff;
    if (size > rest.size()) return note(message, SyncDefect::kEntryBeyondMessage);
    if (version_and_size >> 12 != 0) return note(message, SyncDefect::kEntryVersion);
    // Shorter than an IPv4 entry, it has no type of its own to be believed.
    SyncEntry entry;
    const SyncDefect defect = size < kEntry4 ? SyncDefect::kEntryTooShort : read_entry1(rest.first(size), &entry);
    if (defect != SyncDefect::kNone) note(message, defect);
    if (ends_message(defect)) return;
    if (defect == SyncDefect::kNone) message->entries.push_back(entry);
    const std::size_t padded = (size + kAlignment - 1) / kAlignment * kAlignment;
    rest = rest.subspan(std::min(padded, rest.size()));
  }
}

void read_entries0(std::span<const std::byte> rest, std::size_t count, SyncMessage* message) {
  Reader in(rest);
  for (std::size_t i = 0; i < count; ++i) {
    if (in.left() < kEntry0) return note(message, SyncDefect::kEntryCut);
    SyncEntry entry;
    in.take(1);
    entry.protocol = in.get<std::uint8_t>();
    entry.client_port = in.get<std::uint16_t>();
    entry.virtual_port = in.get<std::uint16_t>();
    entry.server_port = in.get<std::uint16_t>();
    entry.client = in.address(4);
    entry.virtual_address = in.address(4);
    entry.server = in.address(4);
    entry.flags = in.get<std::uint16_t>();
    entry.state = in.get<std::uint16_t>();
    if ((entry.flags & sync_flags::kSequence) != 0) {
      if (in.left() < kSequence) return note(message, SyncDefect::kSequenceOption);
      entry.sequence = in.sequence();
    }
    message->entries.push_back(entry);
  }
}

}  // namespace

SyncMessageWriter::SyncMessageWriter(std::span<std::byte> buffer, std::size_t limit, int version,
                                     std::uint8_t sync_id)
    : buffer_(buffer),
      limit_(std::min(limit, buffer.size())),
      version_(version),
      size_(version == 0 ? kHeader0 : kHeader1) {
  if (buffer.size() < kLargestSingle || buffer.size() > 0xffff) {
    std::fprintf(stderr, "lvspec director: a sync message of %zu bytes\n", buffer.size());
    std::abort();
  }
  std::fill_n(buffer_.begin(), size_, std::byte{0});
  buffer_[1] = std::byte{sync_id};
  if (version_ == 1) buffer_[5] = std::byte{1};
  Writer(&buffer_[2]).put(static_cast<std::uint16_t>(size_));
}

bool SyncMessageWriter::can_say(int version, const SyncEntry& entry) {
  return version == 1 || entry.family == Family::kIpv4;
}

bool SyncMessageWriter::add(const SyncEntry& entry) {
  if (count_ == kMostEntries || !can_say(version_, entry)) return false;
  if (entry.engine.size() > kLongestName || entry.engine_data.size() > kLongestData ||
      entry.engine.empty() != entry.engine_data.empty()) {
    return false;
  }
  const std::size_t begin = (size_ + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t size = size_of(entry, version_);
  if (!empty() && begin + size > limit_) return false;
  std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(size_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(begin), std::byte{0});
  const Writer out(&buffer_[begin]);
  version_ == 0 ? write_entry0(out, entry) : write_entry1(out, entry);
  size_ = begin + size;
  buffer_[version_ == 0 ? 0 : 4] = std::byte{++count_};
  Writer(&buffer_[2]).put(static_cast<std::uint16_t>(size_));
  return true;
}

std::string_view text_of(SyncDefect defect) {
  switch (defect) {
    case SyncDefect::kNone:
      return "nothing";
    case SyncDefect::kHeaderCut:
      return "shorter than its header";
    case SyncDefect::kWrongSize:
      return "its size is not the number of bytes that arrived";
    case SyncDefect::kEntryCut:
      return "ends inside an entry, or before the last one";
    case SyncDefect::kEntryBeyondMessage:
      return "an entry is longer than the message";
    case SyncDefect::kEntryVersion:
      return "an entry of an unknown version";
    case SyncDefect::kEntryType:
      return "an entry of an unknown type";
    case SyncDefect::kEntryTooShort:
      return "an entry is shorter than its fixed part";
    case SyncDefect::kOptionCut:
      return "an option without length";
    case SyncDefect::kOptionLength:
      return "an option is empty or longer than its entry";
    case SyncDefect::kSequenceOption:
      return "sequence data cut short, too long, or given twice";
    case SyncDefect::kEngineDataOption:
      return "data of a persistence engine too long, or given twice";
    case SyncDefect::kEngineNameOption:
      return "the name of a persistence engine too long, or given twice";
    case SyncDefect::kUnknownOption:
      return "an unknown option that may not be ignored";
    case SyncDefect::kEngineIncomplete:
      break;
  }
  return "data of a persistence engine without its name";
}

SyncMessage decode_sync_message(std::span<const std::byte> datagram) {
  SyncMessage message;
  if (datagram.size() < kHeader0) {
    message.defect = SyncDefect::kHeaderCut;
    return message;
  }
  Reader in(datagram);
  const auto first = in.get<std::uint8_t>();  // version 0: the number of entries; version 1: reserved
  message.sync_id = in.get<std::uint8_t>();
  if (in.get<std::uint16_t>() != datagram.size()) {
    message.defect = SyncDefect::kWrongSize;
    return message;
  }
  const bool version1 = datagram.size() >= kHeader1 && first == 0 && datagram[5] == std::byte{1} &&
                        datagram[6] == std::byte{0} && datagram[7] == std::byte{0};
  message.version = version1 ? 1 : 0;
  if (version1) {
    read_entries1(datagram.subspan(kHeader1), std::to_integer<std::size_t>(datagram[4]), &message);
  } else {
    read_entries0(datagram.subspan(kHeader0), first, &message);
  }
  return message;
}

}  // namespace lvspec::director
