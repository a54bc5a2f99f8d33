#include "director/core/service.h"

#include "director/core/scheduler.h"

namespace lvspec::director {

// Here, where Scheduler is a complete type, so that users of service.h need not know it.
VirtualService::VirtualService() = default;
VirtualService::~VirtualService() = default;

}  // namespace lvspec::director
