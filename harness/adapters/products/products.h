#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/adapters/director_under_test.h"
#include "harness/adapters/products/product.h"

namespace lvspec {

/// Adapters for products that people run, each the package's own program, unmodified, started with a configuration
/// that we write (DirectorUnderTest::configuration). They belong where the node's stack is the director
/// (DirectorPlace::kStack). Error (kEnvironment): the program, or the kernel's part of it, is not here.
///
/// keepalived: drives the kernel's IPVS; edits by reload. haproxy: TCP mode, a stick table on the source, edits by a
/// new process that takes over (-sf) and learns the table from the old one. nginx: stream, `hash $remote_addr
/// consistent`, edits by reload. nftables: a ruleset at the ingress of the director's port, jhash of the source,
/// direct routing. pen: one process a service, edits by restart.
const std::vector<std::string>& product_names();

/// @param name  one of product_names()
Result<std::unique_ptr<DirectorUnderTest>> start_product(const std::string& name, const DirectorSite& site,
                                                         const ProductOptions& options);

/// What the product says of itself, without a world to run in; version "not installed" where it is not.
DirectorIdentity product_identity(const std::string& name);

// Each of them by itself.
using ProductStart = Result<std::unique_ptr<DirectorUnderTest>>(const DirectorSite&, NetworkNamespace, WireFence,
                                                                DirectorIdentity, const ProductOptions&);
ProductStart start_haproxy, start_keepalived, start_nftables, start_nginx, start_pen;

}  // namespace lvspec
