#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

#include "harness/base/result.h"

namespace lvspec {

/// A function of libarchive, as in LIBARCHIVE(archive_read_new)(): looked up when it is called, not linked.
/// libarchive brings libxml2 and ICU, 35 MB that each guest would unpack and every start of lvspec would map, and
/// only who builds an initramfs or unpacks a kernel needs them.
#define LIBARCHIVE(name) (reinterpret_cast<decltype(&::name)>(::lvspec::libarchive_function(#name)))

/// Loads libarchive, once. Error: it is not installed. To be called before the first LIBARCHIVE.
Status load_libarchive();
/// The address of one of its functions; one that is not there is a bug of ours.
void* libarchive_function(const char* name);

/// libarchive's handles, freed with the scope.
struct FreeArchive {
  void operator()(archive* handle) const { LIBARCHIVE(archive_free)(handle); }
  void operator()(archive_entry* entry) const { LIBARCHIVE(archive_entry_free)(entry); }
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;
using ArchiveEntry = std::unique_ptr<archive_entry, FreeArchive>;

/// Error of the last call on that handle: what was attempted, and libarchive's words.
Error archive_failure(const std::string& attempt, archive* handle);

}  // namespace lvspec
