#include "harness/fuzz/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "harness/fuzz/lines.h"

namespace lvspec::fuzz {
namespace {

using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;

constexpr std::uint64_t kSeeds = 300;

Program program(std::uint64_t seed) {
  static const Alphabet kAlphabet = whole_alphabet();
  return generate(seed, 60, kAlphabet);
}

TEST(Generator, TheSameSeedMakesTheSameProgram) {
  for (std::uint64_t seed = 1; seed < 20; ++seed) EXPECT_EQ(program(seed), program(seed));
  EXPECT_NE(program(1).steps, program(2).steps);
}

TEST(Generator, ProgramsAreAboutAsLongAsAskedFor) {
  for (std::uint64_t seed = 1; seed < kSeeds; ++seed) {
    EXPECT_THAT(program(seed).steps.size(), Ge(60U)) << seed;
    EXPECT_THAT(program(seed).steps.size(), Le(75U)) << seed;  // a service brings its servers
  }
}

// What ipvsadm would not let pass is no difference between directors.
TEST(Generator, EveryOrderIsOneThatIpvsadmTakesAsItIs) {
  for (std::uint64_t seed = 1; seed < kSeeds; ++seed) {
    for (const Step& step : program(seed).steps) {
      const Command* const command = std::get_if<Command>(&step);
      if (command == nullptr) continue;
      const std::string line = ipvsadm_line(*command);
      const Result<Command> read = parse_ipvsadm_line(line);
      ASSERT_TRUE(read.ok()) << seed << ": " << line << ": " << read.error().message;
      EXPECT_EQ(*read, *command) << seed << ": " << line;
    }
  }
}

TEST(Generator, BothEndsOfAPacketAreOfOneFamilyAndOursAlone) {
  const auto check = [](const Endpoint& client, const Endpoint& target) {
    EXPECT_EQ(client.address.family(), target.address.family());
    EXPECT_THAT(client.str(), ::testing::AnyOf(HasSubstr("192.0.2."), HasSubstr("[2001:db8:2:")));
    EXPECT_NE(client.port, 0);
  };
  for (std::uint64_t seed = 1; seed < kSeeds; ++seed) {
    for (const Step& step : program(seed).steps) {
      if (const auto* c = std::get_if<Connect>(&step)) check(c->client, c->target);
      if (const auto* s = std::get_if<Segment>(&step)) check(s->client, s->target);
      if (const auto* d = std::get_if<Datagram>(&step)) check(d->client, d->target);
    }
  }
}

// A generator that had stopped making some kind of step would find nothing of it, and nobody would notice.
TEST(Generator, NoKindOfStepAndNoShapeIsMissing) {
  std::set<std::size_t> steps, commands;
  std::set<Shape> shapes;
  std::set<std::string> words;
  for (std::uint64_t seed = 1; seed < kSeeds; ++seed) {
    for (const Step& step : program(seed).steps) {
      steps.insert(step.index());
      if (const auto* c = std::get_if<Command>(&step)) commands.insert(c->index());
      if (const auto* c = std::get_if<Connect>(&step)) shapes.insert(c->shape);
      if (const auto* s = std::get_if<SetSysctl>(&step)) words.insert(s->name);
      if (const auto* a = std::get_if<Command>(&step); a != nullptr && std::holds_alternative<AddService>(*a))
        words.insert(std::get<AddService>(*a).service.scheduler);
    }
  }
  EXPECT_EQ(steps.size(), std::variant_size_v<Step>);
  EXPECT_EQ(commands.size(), std::variant_size_v<Command>);
  EXPECT_EQ(shapes.size(), static_cast<std::size_t>(kShapes));
  for (const std::string& name : whole_alphabet().schedulers) EXPECT_TRUE(words.contains(name)) << name;
  for (const auto& [name, values] : whole_alphabet().sysctls) EXPECT_TRUE(words.contains(name)) << name;
}

}  // namespace
}  // namespace lvspec::fuzz
