#pragma once

#include "harness/base/result.h"

namespace lvspec {

/// Does something that would change this process for good (namespaces, users) in a child of ours instead, and brings
/// back how it went. Only where no thread has been started.
Status try_in_child(Status (*attempt)());

}  // namespace lvspec
