#pragma once

#include <string_view>

namespace lvspec::director {

/// Deliberate faults of the core ("mutants"), each one a mistake somebody could make or has made. They exist only in
/// the test-only build (LVSPEC_FAULTS), where `set_fault` switches one on; in the released director `fault()` is the
/// constant false and every trace of them is optimised away.
///
/// X(enumerator, "name on the command line", "what it does wrong", "field reports that describe it")
#define LVSPEC_FAULT_LIST(X)                                                                                       \
  X(kNoPersistence, "no-persistence", "ignores persistence altogether", "FR-27 FR-112")

enum class Fault {
  kNoFault,
#define X(enumerator, name, text, reports) enumerator,
  LVSPEC_FAULT_LIST(X)
#undef X
};

struct FaultInfo {
  Fault fault;
  std::string_view name, text, reports;
};

inline constexpr FaultInfo kFaults[] = {
#define X(enumerator, name, text, reports) {Fault::enumerator, name, text, reports},
    LVSPEC_FAULT_LIST(X)
#undef X
};

#ifdef LVSPEC_FAULTS
bool fault(Fault which);
void set_fault(Fault which);
#else
constexpr bool fault(Fault) { return false; }
#endif

}  // namespace lvspec::director
