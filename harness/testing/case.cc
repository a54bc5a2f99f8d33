#include "harness/testing/case.h"

#include <algorithm>

#include "harness/base/world_error.h"
#include "harness/testing/fixture.h"
#include "harness/testing/recorder.h"

namespace lvspec::testing {
namespace {

std::vector<CaseInfo>& rows() {
  static std::vector<CaseInfo> rows;
  return rows;
}

}  // namespace

CaseRegistrar::CaseRegistrar(const char* fixture, const char* name, const CaseHeader& header, const char* file,
                             int line, DirectorTest* (*make)()) {
  CaseInfo info;
  info.id = header.id;
  info.claim = header.claim;
  info.level = header.level;
  info.clauses.assign(header.clauses.begin(), header.clauses.end());
  info.field_reports.assign(header.field_reports.begin(), header.field_reports.end());
  info.profiles.assign(header.profiles.begin(), header.profiles.end());
  info.test = std::string(fixture) + "." + name;
  rows().push_back(std::move(info));
  ::testing::RegisterTest(fixture, name, nullptr, nullptr, file, line, make);
}

const std::vector<CaseInfo>& catalogue() {
  std::sort(rows().begin(), rows().end(), [](const CaseInfo& a, const CaseInfo& b) { return a.id < b.id; });
  return rows();
}

void guarded(const std::function<void()>& steps) {
  try {
    steps();
  } catch (const WorldError& error) {
    Recorder::current().refused(error.error());
  } catch (const CaseOver&) {
    return;
  }
}

}  // namespace lvspec::testing
