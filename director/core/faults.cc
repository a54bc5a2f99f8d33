#include "director/core/faults.h"

#ifdef LVSPEC_FAULTS

#include <atomic>

namespace lvspec::director {
namespace {

// The one global of the core, and only in the test-only build: a fault is a property of the program, not of one
// director in it.
std::atomic<Fault> active_fault{Fault::kNoFault};

}  // namespace

bool fault(Fault which) { return active_fault.load(std::memory_order_relaxed) == which; }
void set_fault(Fault which) { active_fault.store(which, std::memory_order_relaxed); }

}  // namespace lvspec::director

#endif
