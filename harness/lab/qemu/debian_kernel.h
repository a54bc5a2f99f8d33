#pragma once

#include <string>

#include "harness/base/result.h"
#include "harness/lab/qemu/debian_archive.h"

namespace lvspec {

/// A kernel that qemu can boot.
struct GuestKernel {
  std::string vmlinuz;  ///< path
  std::string release;  ///< as uname says it: "6.1.0-44-cloud-amd64"
  std::string modules;  ///< the directory of that release: holds kernel/ and modules.builtin
};

/// The kernel that `--kernel` and `--modules` name.
/// @param kernel   a vmlinuz, or "debian:6.1": Debian's linux-image-6.1*-cloud-amd64, newest first, where it is
///                 installed, else from our cache, else fetched by apt (no root needed) and unpacked into the
///                 cache: from what this machine's package lists name, else from debian_archive_of_this_machine(),
///                 since the backports, which 6.12 is in for Debian 12, are seldom switched on.
/// @param modules  its modules: the release's own directory, or the one above (as /lib/modules); empty: beside
///                 a kernel in .../boot, in ../lib/modules or ../usr/lib/modules. Only with a path.
/// Error (usage): what is missing or does not fit, and what to do. Error: the download failed.
Result<GuestKernel> find_kernel(const std::string& kernel, const std::string& modules = {});

/// The same without ever touching the network: nothing installed and nothing in the cache is an error.
Result<GuestKernel> find_kernel_here(const std::string& kernel, const std::string& modules = {});

/// Fetches the newest kernel of a series ("6.12") from an archive into the cache, where find_kernel_here() sees it.
/// Error (usage): the archive has none. Errors: as apt_for(); the download or the unpacking failed.
Status fetch_kernel(const std::string& series, const DebianArchive& archive);

/// Release of an x86-64 vmlinuz. Error (usage): not one, and what it is instead.
/// Source: Linux Documentation/x86/boot.rst, header fields "header", "kernel_version", "xloadflags".
Result<std::string> release_of(const std::string& vmlinuz);

/// Unpacks boot/ and lib/modules/ of a .deb into a folder. Error: not such a file, or no room.
Status unpack_kernel_package(const std::string& deb, const std::string& into);

/// $XDG_CACHE_HOME/lvspec or ~/.cache/lvspec.
std::string cache_folder();

}  // namespace lvspec
