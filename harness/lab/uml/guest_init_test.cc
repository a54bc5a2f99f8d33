#include "harness/lab/uml/guest_init.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kModulesDep[] =
    "kernel/net/netfilter/ipvs/ip_vs.ko: kernel/net/netfilter/nf_conntrack.ko kernel/net/ipv6/ipv6.ko "
    "kernel/lib/crc-ccitt.ko\n"
    "kernel/lib/crc-ccitt.ko:\n";

TEST(ModuleLoadOrder, HasWhatIsNeededBeforeWhoNeedsIt) {
  EXPECT_THAT(module_load_order(kModulesDep, "ip_vs").value(),
              ElementsAre("kernel/lib/crc-ccitt.ko", "kernel/net/ipv6/ipv6.ko",
                          "kernel/net/netfilter/nf_conntrack.ko", "kernel/net/netfilter/ipvs/ip_vs.ko"));
}

TEST(ModuleLoadOrder, TakesUnderlinesForDashes) {
  EXPECT_THAT(module_load_order(kModulesDep, "crc_ccitt").value(), ElementsAre("kernel/lib/crc-ccitt.ko"));
}

TEST(ModuleLoadOrder, NamesTheModuleThatIsNotThere) {
  EXPECT_THAT(module_load_order(kModulesDep, "ip_vs_twos").error().message, HasSubstr("ip_vs_twos"));
}

TEST(GuestInit, IsNotWhatAnOrdinaryProcessIs) { EXPECT_FALSE(is_guest_init()); }

}  // namespace
}  // namespace lvspec
