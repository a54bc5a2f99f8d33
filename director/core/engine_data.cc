#include "director/core/engine_data.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <functional>

namespace lvspec::director {

void EngineData::reserve(std::size_t texts) {
  const std::size_t before = slots_.size();
  if (texts <= before) return;
  slots_.resize(texts);
  for (std::size_t i = texts; i-- > before;) slots_[i].next = std::exchange(free_, static_cast<Id>(i + 1));

  chains_.assign(std::bit_ceil(texts), kNone);
  for (std::size_t i = 0; i < before; ++i) {
    Slot& used = slots_[i];
    if (used.users != 0) used.next = std::exchange(chain_of(used.text()), static_cast<Id>(i + 1));
  }
}

EngineData::Id& EngineData::chain_of(std::string_view text) {
  return chains_[std::hash<std::string_view>{}(text) & (chains_.size() - 1)];
}

EngineData::Hold EngineData::hold(std::string_view text) {
  if (text.empty() || text.size() > kLongest) {
    std::fprintf(stderr, "lvspec director: engine data of %zu bytes: not 1 to %zu\n", text.size(), kLongest);
    std::abort();
  }
  if (chains_.empty()) reserve(64);
  for (Id id = chain_of(text); id != kNone; id = slot(id).next) {
    if (slot(id).text() != text) continue;
    retain(id);
    return {*this, id};
  }
  // Only where there is no free slot: a text that is stored already must not make the table grow.
  if (free_ == kNone) reserve(2 * slots_.size());
  const Id id = free_;
  Slot& fresh = slot(id);
  free_ = fresh.next;
  fresh.users = 1;
  fresh.length = static_cast<std::uint8_t>(text.size());
  std::copy(text.begin(), text.end(), fresh.bytes.begin());
  fresh.next = std::exchange(chain_of(text), id);
  return {*this, id};
}

void EngineData::retain(Id id) {
  if (id != kNone) ++slot(id).users;
}

void EngineData::release(Id id) {
  if (id == kNone || --slot(id).users != 0) return;
  Id* link = &chain_of(slot(id).text());
  while (*link != id) link = &slot(*link).next;
  *link = slot(id).next;
  slot(id).next = std::exchange(free_, id);
}

std::string_view EngineData::text(Id id) const { return id == kNone ? std::string_view() : slots_[id - 1].text(); }

}  // namespace lvspec::director
