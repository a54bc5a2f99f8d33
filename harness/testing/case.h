#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <vector>

#include "harness/report/model.h"

namespace lvspec::testing {

class DirectorTest;

/// What a case says about itself, beside its test; becomes its row of the catalogue.
struct CaseHeader {
  const char* id;     ///< frozen words, "pcc.same-client-all-ports"
  const char* claim;  ///< what a director must do, in one sentence for an operator
  Level level = Level::kMust;
  std::initializer_list<const char*> clauses = {};
  std::initializer_list<const char*> field_reports = {};
  std::initializer_list<Profile> profiles = {Profile::kIpvs};
};

/// All cases that are linked in, sorted by id.
const std::vector<CaseInfo>& catalogue();

struct CaseRegistrar {
  CaseRegistrar(const char* fixture, const char* name, const CaseHeader& header, const char* file, int line,
                DirectorTest* (*make)());
};

/// Runs the steps of a case; a world that refuses ends them and is not a failure of the director.
void guarded(const std::function<void()>& steps);

}  // namespace lvspec::testing

/// A GoogleTest test together with its row of the catalogue:
///
///   // A port-zero service keys its template <TCP, CIP, 0, VIP, 0>: no port takes part in the choice.
///   // Source: ip_vs_core.c, ip_vs_sched_persist().
///   LVSPEC_CASE(PccPersistence, SameClientSticksAcrossPorts,
///               {.id = "pcc.same-client-all-ports", .claim = "...", .clauses = {"TPL-06"}}) {
///     ...steps...
///   }
#define LVSPEC_CASE(fixture, name, ...)                                                  \
  class fixture##_##name##_Case final : public fixture {                                 \
    void TestBody() override {                                                           \
      ::lvspec::testing::guarded([this] { steps(); });                                   \
    }                                                                                    \
    void steps();                                                                        \
  };                                                                                     \
  static const ::lvspec::testing::CaseRegistrar lvspec_case_##fixture##_##name(          \
      #fixture, #name, ::lvspec::testing::CaseHeader __VA_ARGS__, __FILE__, __LINE__,    \
      []() -> ::lvspec::testing::DirectorTest* { return new fixture##_##name##_Case; }); \
  void fixture##_##name##_Case::steps()
