#include "director/table/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace lvspec::table {
namespace {

struct Item : Timed {
  explicit Item(std::uint32_t k) : key(k) {}
  std::uint64_t hash() const { return std::uint64_t{key} * 0x9e3779b97f4a7c15; }

  std::uint32_t key;
};

Item* find(Table<Item>& table, std::uint32_t key) {
  return table.find(Item(key).hash(), [&](const Item& item) { return item.key == key; });
}
Item& insert(Table<Item>& table, std::uint32_t key) { return table.insert(Item(key).hash(), false, key); }

std::vector<std::uint32_t> drain(Table<Item>& table) {
  std::vector<std::uint32_t> keys;
  while (Item* item = table.next()) {
    keys.push_back(item->key);
    table.remove(*item);
  }
  return keys;
}

TEST(Table, HoldsWhatWasReservedInOnePiece) {
  Table<Item> table;
  table.reserve(100'000);
  std::vector<Item*> items;
  for (std::uint32_t key = 0; key < 100'000; ++key) items.push_back(&insert(table, key));
  for (std::uint32_t key = 0; key < 100'000; ++key) ASSERT_EQ(find(table, key), items[key]);
  EXPECT_EQ(find(table, 100'000), nullptr);
  EXPECT_EQ(table.buckets(), Segment<Item>::buckets_for(100'000));
}

TEST(Table, GrowsWithoutMovingAnything) {
  Table<Item> table;
  std::vector<Item*> items;
  for (std::uint32_t key = 0; key < 10'000; ++key) items.push_back(&insert(table, key));
  for (std::uint32_t key = 0; key < 10'000; ++key) ASSERT_EQ(find(table, key), items[key]);
  EXPECT_EQ(table.size(), 10'000u);
}

TEST(Table, HiddenEntriesAreNotFoundUntilShown) {
  Table<Item> table;
  Item& item = insert(table, 1);
  table.hide(item);
  EXPECT_EQ(find(table, 1), nullptr);
  EXPECT_EQ(table.size(), 1u);
  table.show(item);
  EXPECT_EQ(find(table, 1), &item);
  Item& never_found = table.insert(Item(2).hash(), true, 2u);
  EXPECT_EQ(find(table, 2), nullptr);
  table.remove(never_found);
  EXPECT_EQ(table.size(), 1u);
}

TEST(Timers, EqualDeadlinesGoByOrder) {
  Table<Item> table;
  table.arm(insert(table, 1), {5, 2});
  table.arm(insert(table, 2), {5, 1});
  table.arm(insert(table, 3), {4, 3});
  EXPECT_THAT(drain(table), testing::ElementsAre(3, 2, 1));
}

TEST(Timers, RearmingMovesBothWays) {
  Table<Item> table;
  Item &a = insert(table, 1), &b = insert(table, 2), &c = insert(table, 3);
  table.arm(a, {1, 0});
  table.arm(b, {2, 1});
  table.arm(c, {3, 2});
  table.arm(a, {9, 3});
  table.arm(c, {1, 4});
  EXPECT_THAT(drain(table), testing::ElementsAre(3, 2, 1));
}

TEST(Timers, WhatIsNotArmedIsNeitherVisitedNorFired) {
  Table<Item> table;
  insert(table, 1);
  table.arm(insert(table, 2), {5, 0});
  std::vector<std::uint32_t> seen;
  table.for_each([&](Item& item) { seen.push_back(item.key); });
  EXPECT_THAT(seen, testing::ElementsAre(2));
  EXPECT_THAT(drain(table), testing::ElementsAre(2));
  EXPECT_EQ(table.bound(), kNever);
}

// Against the plainest possible model, on tables that are nearly full, wrap around and grow: a map of all entries,
// looked through for the least deadline.
TEST(Table, AgreesWithAMapUnderRandomUse) {
  for (const std::uint32_t reserved : {0u, 9u, 60u, 300u}) {
    std::mt19937 random(reserved);
    Table<Item> table;
    table.reserve(reserved);
    struct Known {
      Item* item;
      bool hidden = false;
    };
    std::map<std::uint32_t, Known> model;
    for (std::uint32_t step = 0; step < 40'000; ++step) {
      const std::uint32_t key = random() % 330;
      const auto known = model.find(key);
      if (known == model.end()) {
        ASSERT_EQ(find(table, key), nullptr) << "step " << step;
        if (random() % 2 == 0) model[key] = {&insert(table, key)};
      } else {
        ASSERT_EQ(find(table, key), known->second.hidden ? nullptr : known->second.item) << "step " << step;
        switch (random() % 8) {
          case 0:
            table.remove(*known->second.item);
            model.erase(known);
            break;
          case 1:
            if (!std::exchange(known->second.hidden, true)) table.hide(*known->second.item);
            break;
          case 2:
            if (std::exchange(known->second.hidden, false)) table.show(*known->second.item);
            break;
          default:
            table.arm(*known->second.item, {static_cast<std::int64_t>(random() % 1000), step});
        }
      }
      Item* least = nullptr;
      std::size_t armed = 0, visited = 0;
      for (const auto& [unused, one] : model) {
        if (!one.item->armed()) continue;
        ++armed;
        if (least == nullptr || one.item->due() < least->due()) least = one.item;
      }
      if (step % 3 == 0) {
        ASSERT_EQ(table.next(), least) << "step " << step;
      }
      ASSERT_LE(table.bound(), least == nullptr ? kNever : least->due());
      ASSERT_EQ(table.size(), model.size());
      if (step % 1000 != 0) continue;
      for (std::size_t bucket = 0; bucket < table.buckets(); ++bucket) {
        table.visit_bucket(bucket, [&](Item&) { ++visited; });
      }
      ASSERT_EQ(visited, armed);
    }
  }
}

}  // namespace
}  // namespace lvspec::table
