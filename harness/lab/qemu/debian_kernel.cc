#include "harness/lab/qemu/debian_kernel.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <vector>

#include "harness/base/cleanup.h"
#include "harness/lab/qemu/archive.h"

namespace lvspec {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDebian = "debian:";
constexpr std::string_view kSuffix = "-cloud-amd64";

/// Whether a version as "6.1.0-44" is of the series "6.1".
bool of_series(std::string_view version, std::string_view series) {
  return version.starts_with(series) && version.size() > series.size() &&
         std::strchr(".-+", version[series.size()]) != nullptr;
}

/// As people order versions: digits count as numbers.
bool older(const std::string& a, const std::string& b) { return strverscmp(a.c_str(), b.c_str()) < 0; }

/// The names below a folder that begin with `prefix`, newest version first.
std::vector<std::string> newest_first(const std::string& folder, const std::string& prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix)) names.push_back(name);
  }
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return older(b, a); });
  return names;
}

bool holds_modules(const fs::path& dir) {
  std::error_code error;
  return fs::is_directory(dir / "kernel", error);
}

/// The modules of that release, in or below one of the folders; nothing if there are none.
std::string modules_below(const std::vector<fs::path>& folders, const std::string& release) {
  for (const fs::path& folder : folders)
    if (holds_modules(folder / release)) return (folder / release).string();
  return "";
}

/// What `root` (of the machine, or of an unpacked package) has of a series.
std::optional<GuestKernel> kernel_below(const std::string& root, std::string_view series) {
  for (const std::string& name : newest_first(root + "/boot", "vmlinuz-")) {
    const std::string release = name.substr(std::strlen("vmlinuz-"));
    if (!release.ends_with(kSuffix) || !of_series(release, series)) continue;
    GuestKernel found{root + "/boot/" + name, release,
                      modules_below({root + "/lib/modules", root + "/usr/lib/modules"}, release)};
    if (!found.modules.empty() && release_of(found.vmlinuz).ok()) return found;
  }
  return std::nullopt;
}

std::optional<GuestKernel> installed_or_cached(std::string_view series) {
  if (auto found = kernel_below("", series)) return found;
  const std::string cache = cache_folder() + "/kernels";
  for (const std::string& name : newest_first(cache, "linux-image-"))
    if (auto found = kernel_below(cache + "/" + name, series)) return found;
  return std::nullopt;
}

/// Debian's newest signed package of a series that an apt knows; empty if it knows none.
Result<std::string> package_of(std::string_view series, const Apt& apt) {
  std::string pattern = "^linux-image-";
  for (const char c : series) pattern += c == '.' ? std::string("\\.") : std::string(1, c);
  LVSPEC_ASSIGN(const auto names, apt.names(pattern + "\\.[^ ]*-cloud-amd64$"));
  std::string newest;
  for (const std::string& name : names)
    if (name.starts_with("linux-image-") && name.ends_with(kSuffix) && older(newest, name)) newest = name;
  return newest;
}

/// A new folder beside the kernels of the cache, for what is not whole yet.
Result<std::string> scratch_folder() {
  std::string scratch = cache_folder() + "/kernels/fetch-XXXXXX";
  std::error_code error;
  fs::create_directories(fs::path(scratch).parent_path(), error);
  if (mkdtemp(scratch.data()) == nullptr) return system_error(fmt::format("mkdtemp({})", scratch));
  return scratch;
}

Cleanup<std::function<void()>> gone_at_the_end(const std::string& folder) {
  return Cleanup<std::function<void()>>([folder] {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  });
}

/// Fetches and unpacks a package into the cache, whole or not at all: many runs may do it at the same time.
Status fetch(const std::string& package, const Apt& apt) {
  LVSPEC_ASSIGN(const std::string scratch, scratch_folder());
  const auto remove = gone_at_the_end(scratch);
  LVSPEC_TRY(apt.download(package, scratch));
  const std::vector<std::string> files = newest_first(scratch, package + "_");
  if (files.empty()) return Error{fmt::format("apt-get download {}: left no file", package)};
  LVSPEC_TRY(unpack_kernel_package(scratch + "/" + files[0], scratch + "/unpacked"));
  const std::string place = cache_folder() + "/kernels/" + package;
  std::error_code error;
  fs::rename(scratch + "/unpacked", place, error);
  if (error && !fs::exists(place))  // another run was faster: theirs is as good
    return Error{fmt::format("rename({}): {}", place, error.message())};
  return {};
}

/// The series from this machine's own package lists. @return why not; empty if it is in the cache now.
std::string try_own_lists(std::string_view series) {
  const Apt apt;
  const auto package = package_of(series, apt);
  if (!package.ok()) return package.error().message;
  if (package->empty())
    return fmt::format("this machine's package lists have no linux-image-{}.*{}", series, kSuffix);
  const Status fetched = fetch(*package, apt);
  return fetched.ok() ? "" : fetched.error().message;
}

/// What tar.xz data of the .deb around it is read in.
struct Inner {
  archive* outer = nullptr;
  char buffer[1 << 16];
};

la_ssize_t read_inner(archive* handle, void* data, const void** buffer) {
  auto* inner = static_cast<Inner*>(data);
  *buffer = inner->buffer;
  const la_ssize_t count = LIBARCHIVE(archive_read_data)(inner->outer, inner->buffer, sizeof inner->buffer);
  if (count < 0) LIBARCHIVE(archive_set_error)(handle, EIO, "%s", LIBARCHIVE(archive_error_string)(inner->outer));
  return count;
}

Status unpack_data(archive* outer, const std::string& into) {
  Inner inner{.outer = outer, .buffer = {}};
  const ArchiveHandle reader(LIBARCHIVE(archive_read_new)());
  LIBARCHIVE(archive_read_support_filter_all)(reader.get());
  LIBARCHIVE(archive_read_support_format_tar)(reader.get());
  if (LIBARCHIVE(archive_read_open)(reader.get(), &inner, nullptr, read_inner, nullptr) != ARCHIVE_OK)
    return archive_failure("data.tar", reader.get());
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  while ((status = LIBARCHIVE(archive_read_next_header)(reader.get(), &entry)) == ARCHIVE_OK) {
    const fs::path name = fs::path(LIBARCHIVE(archive_entry_pathname)(entry)).lexically_normal();
    const std::string text = name.string();
    const bool wanted = text.starts_with("boot/vmlinuz-") || text.starts_with("boot/config-") ||
                        text.starts_with("lib/modules/") || text.starts_with("usr/lib/modules/");
    if (!wanted || LIBARCHIVE(archive_entry_hardlink)(entry) != nullptr ||
        LIBARCHIVE(archive_entry_filetype)(entry) == AE_IFLNK)
      continue;
    const fs::path path = fs::path(into) / name;
    std::error_code error;
    if (LIBARCHIVE(archive_entry_filetype)(entry) == AE_IFDIR) continue;
    fs::create_directories(path.parent_path(), error);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    char chunk[1 << 16];
    la_ssize_t count = 0;
    while ((count = LIBARCHIVE(archive_read_data)(reader.get(), chunk, sizeof chunk)) > 0) file.write(chunk, count);
    if (count < 0) return archive_failure(text, reader.get());
    if (!file.flush()) return system_error(fmt::format("write({})", path.string()));
  }
  if (status != ARCHIVE_EOF) return archive_failure("data.tar", reader.get());
  return {};
}

Result<GuestKernel> kernel_at(const std::string& vmlinuz, const std::string& modules) {
  LVSPEC_ASSIGN(const std::string release, release_of(vmlinuz));
  const fs::path root = fs::absolute(vmlinuz).parent_path().parent_path();
  if (modules.empty()) {
    const std::string beside = modules_below({root / "lib/modules", root / "usr/lib/modules"}, release);
    if (beside.empty())
      return usage_error(fmt::format("--kernel {}: no modules of {} in {}; say where they are with --modules DIR",
                                     vmlinuz, release, (root / "lib/modules").string()));
    return GuestKernel{vmlinuz, release, beside};
  }
  const fs::path dir = fs::absolute(modules).lexically_normal();
  if (holds_modules(dir)) return GuestKernel{vmlinuz, release, dir.string()};
  if (holds_modules(dir / release)) return GuestKernel{vmlinuz, release, (dir / release).string()};
  std::error_code error;
  if (!fs::is_directory(dir, error))
    return usage_error(fmt::format("--modules {}: there is no such directory", modules));
  std::string there;
  for (const std::string& name : newest_first(dir.string(), ""))
    if (holds_modules(dir / name)) there += (there.empty() ? "" : ", ") + name;
  return usage_error(fmt::format("--modules {}: no modules of {}, which --kernel {} is; {}", modules, release,
                                 vmlinuz,
                                 there.empty() ? "it holds no kernel's modules at all" : "it has those of " + there));
}

Result<GuestKernel> find(const std::string& kernel, const std::string& modules, bool may_fetch) {
  if (!kernel.starts_with(kDebian)) return kernel_at(kernel, modules);
  const std::string series = kernel.substr(kDebian.size());
  if (series.empty() ||
      !std::all_of(series.begin(), series.end(), [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; }))
    return usage_error(fmt::format("--kernel {}: after debian: comes a version like 6.1 or 6.12", kernel));
  if (!modules.empty())
    return usage_error(fmt::format("--kernel {} brings its own modules; leave out --modules", kernel));
  if (auto found = installed_or_cached(series)) return *found;
  if (!may_fetch)
    return usage_error(fmt::format("--kernel {}: neither installed nor in {}", kernel, cache_folder() + "/kernels"));
  if (const std::string why = try_own_lists(series); !why.empty())
    if (const Status fetched = fetch_kernel(series, debian_archive_of_this_machine()); !fetched.ok())
      return Error{fmt::format("--kernel {}: {}; {}; or give --kernel VMLINUZ --modules DIR", kernel, why,
                               fetched.error().message),
                   fetched.error().kind};
  if (auto found = installed_or_cached(series)) return *found;
  return Error{fmt::format("--kernel {}: its package holds no kernel with modules", kernel)};
}

}  // namespace

std::string cache_folder() {
  if (const char* cache = getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return std::string(cache) + "/lvspec";
  const char* home = getenv("HOME");
  return std::string(home != nullptr && *home == '/' ? home : "/tmp") + "/.cache/lvspec";
}

Result<std::string> release_of(const std::string& vmlinuz) {
  std::ifstream file(vmlinuz, std::ios::binary);
  if (!file) return usage_error(system_error(fmt::format("--kernel {}", vmlinuz)).message);
  std::string head(1 << 16, '\0');  // the setup code, which the release's text is in, has at most 64 sectors
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  const auto half = [&head](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(head[at])) +
           (static_cast<std::size_t>(static_cast<unsigned char>(head[at + 1])) << 8);
  };
  if (head.size() < 1024 || head.compare(0x202, 4, "HdrS") != 0) {
    const bool arm = head.size() > 64 && head.compare(56, 4, "ARM\x64") == 0;
    const bool elf = head.starts_with("\177ELF");
    return usage_error(fmt::format("--kernel {}: {}; the qemu lab boots an x86-64 bzImage (/boot/vmlinuz-...)",
                                   vmlinuz,
                                   arm   ? "a kernel for arm64"
                                   : elf ? "an ELF file (a vmlinux, or no kernel at all)"
                                         : "not a Linux kernel for x86"));
  }
  if ((half(0x236) & 1) == 0)
    return usage_error(fmt::format("--kernel {}: a 32-bit kernel; the qemu lab boots x86-64", vmlinuz));
  const std::size_t at = half(0x20e) + 0x200;
  if (at >= head.size()) return usage_error(fmt::format("--kernel {}: its header is damaged", vmlinuz));
  const std::string text = head.c_str() + at;
  return text.substr(0, text.find(' '));
}

Status unpack_kernel_package(const std::string& deb, const std::string& into) {
  LVSPEC_TRY(load_libarchive());
  const ArchiveHandle reader(LIBARCHIVE(archive_read_new)());
  LIBARCHIVE(archive_read_support_format_ar)(reader.get());
  if (LIBARCHIVE(archive_read_open_filename)(reader.get(), deb.c_str(), 1 << 16) != ARCHIVE_OK)
    return archive_failure(deb, reader.get());
  archive_entry* entry = nullptr;
  while (LIBARCHIVE(archive_read_next_header)(reader.get(), &entry) == ARCHIVE_OK) {
    if (!std::string_view(LIBARCHIVE(archive_entry_pathname)(entry)).starts_with("data.tar")) continue;
    if (const Status unpacked = unpack_data(reader.get(), into); !unpacked.ok()) return unpacked.error().in(deb);
    return {};
  }
  return Error{fmt::format("{}: not a Debian package (no data.tar in it)", deb)};
}

Status fetch_kernel(const std::string& series, const DebianArchive& archive) {
  LVSPEC_ASSIGN(const std::string scratch, scratch_folder());
  const auto remove = gone_at_the_end(scratch);
  LVSPEC_ASSIGN(const Apt apt, apt_for(archive, scratch));
  LVSPEC_ASSIGN(const std::string package, package_of(series, apt));
  if (package.empty())
    return usage_error(fmt::format("{} has no linux-image-{}.*{} in {}", archive.mirror, series, kSuffix,
                                   fmt::join(archive.suites, ", ")));
  return fetch(package, apt);
}

Result<GuestKernel> find_kernel(const std::string& kernel, const std::string& modules) {
  return find(kernel, modules, true);
}

Result<GuestKernel> find_kernel_here(const std::string& kernel, const std::string& modules) {
  return find(kernel, modules, false);
}

}  // namespace lvspec
