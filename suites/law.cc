#include "suites/law.h"

#include <cstdio>
#include <cstdlib>

#include "law_text.h"

namespace lvspec {

const Law& law() {
  static const Law built_in = [] {
    auto read =
        read_law(kClausesText, kFieldReportsText, kUncoveredText, kWitnessesText, kClaimsZhText, kClausesZhText);
    if (!read.ok()) {
      std::fprintf(stderr, "lvspec: suites/clauses/%s\n", read.error().message.c_str());
      std::abort();  // the tests of this very build have seen it
    }
    return *std::move(read);
  }();
  return built_in;
}

}  // namespace lvspec
