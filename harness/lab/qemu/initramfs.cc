#include "harness/lab/qemu/initramfs.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "harness/lab/qemu/archive.h"
#include "harness/lab/qemu/module_set.h"
#include "harness/process/child.h"

namespace lvspec {
namespace {

namespace fs = std::filesystem;

Result<std::string> content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return system_error(fmt::format("read({})", path));
  return text.str();
}

/// The loader that an ELF program names (PT_INTERP), or nothing.
Result<std::string> loader_of(const std::string& program) {
  std::ifstream file(program, std::ios::binary);
  Elf64_Ehdr header{};
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  if (!file || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return Error{fmt::format("{}: not a program that a guest could run (no ELF file)", program)};
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
    return Error{fmt::format("{}: not built for x86-64, which is all that the qemu lab runs", program)};
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part{};
    file.seekg(static_cast<std::streamoff>(header.e_phoff + i * sizeof part));
    file.read(reinterpret_cast<char*>(&part), sizeof part);
    if (!file || part.p_type != PT_INTERP || part.p_filesz > 4096) continue;
    std::string loader(part.p_filesz, '\0');
    file.seekg(static_cast<std::streamoff>(part.p_offset));
    file.read(loader.data(), static_cast<std::streamsize>(loader.size()));
    return std::string(loader.c_str());
  }
  return std::string();
}

class Cpio {
 public:
  Status open(int fd) {
    LIBARCHIVE(archive_write_set_format_cpio_newc)(writer_.get());
    LIBARCHIVE(archive_write_add_filter_none)(writer_.get());
    if (LIBARCHIVE(archive_write_open_fd)(writer_.get(), fd) != ARCHIVE_OK)
      return archive_failure("initramfs: open", writer_.get());
    return {};
  }

  Status folder(const std::string& path) {
    if (path == "/" || path.empty() || !written_.insert(path).second) return {};
    LVSPEC_TRY(folder(fs::path(path).parent_path().string()));
    return put(path, AE_IFDIR | 0755, {});
  }

  Status file(const std::string& path, std::string_view content, mode_t mode) {
    if (written_.count(path) != 0) return {};
    LVSPEC_TRY(folder(fs::path(path).parent_path().string()));
    written_.insert(path);
    return put(path, AE_IFREG | (mode & 0777), content);
  }

  Status copy(const std::string& path) {
    struct stat is {};
    if (stat(path.c_str(), &is) != 0) return system_error(fmt::format("initramfs: stat({})", path));
    LVSPEC_ASSIGN(const std::string content, content_of(path));
    return file(path, content, is.st_mode);
  }

  Status copy_tree(const std::string& path) {
    if (!fs::is_directory(path)) return copy(path);
    LVSPEC_TRY(folder(path));
    std::error_code error;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path, error)) names.push_back(entry.path().string());
    if (error) return Error{fmt::format("initramfs: {}: {}", path, error.message())};
    std::sort(names.begin(), names.end());  // the order of a directory is chance
    for (const std::string& name : names) LVSPEC_TRY(copy_tree(name));
    return {};
  }

  /// /dev/console, which the kernel opens for init before anything is mounted.
  Status console() {
    LVSPEC_TRY(folder("/dev"));
    return put("/dev/console", AE_IFCHR | 0600, {}, 5, 1);
  }

  Status close() {
    if (LIBARCHIVE(archive_write_close)(writer_.get()) != ARCHIVE_OK)
      return archive_failure("initramfs: close", writer_.get());
    return {};
  }

 private:
  Status put(const std::string& path, unsigned mode, std::string_view content, dev_t major = 0, dev_t minor = 0) {
    const ArchiveEntry entry(LIBARCHIVE(archive_entry_new)());
    LIBARCHIVE(archive_entry_set_pathname)(entry.get(), path.c_str() + 1);  // relative to the root
    LIBARCHIVE(archive_entry_set_mode)(entry.get(), static_cast<mode_t>(mode));
    LIBARCHIVE(archive_entry_set_nlink)(entry.get(), 1);
    LIBARCHIVE(archive_entry_set_size)(entry.get(), static_cast<la_int64_t>(content.size()));
    LIBARCHIVE(archive_entry_set_rdevmajor)(entry.get(), major);
    LIBARCHIVE(archive_entry_set_rdevminor)(entry.get(), minor);
    if (LIBARCHIVE(archive_write_header)(writer_.get(), entry.get()) != ARCHIVE_OK ||
        LIBARCHIVE(archive_write_data)(writer_.get(), content.data(), content.size()) !=
            static_cast<la_ssize_t>(content.size()))
      return archive_failure(fmt::format("initramfs: {}", path), writer_.get());
    return {};
  }

  ArchiveHandle writer_{LIBARCHIVE(archive_write_new)()};
  std::set<std::string> written_;
};

}  // namespace

Result<std::vector<std::string>> shared_libraries(const std::string& program) {
  LVSPEC_ASSIGN(const std::string loader, loader_of(program));
  if (loader.empty()) return std::vector<std::string>();
  LVSPEC_ASSIGN(Child child, Child::start({.argv = {loader, "--list", program}, .fds = {}, .environment = {}}));
  if (!child.wait(std::chrono::seconds(30)) || child.status_text() != "exited with 0")
    return Error{fmt::format("{} --list {}: {}: {}", loader, program, child.status_text(), child.output())};
  // "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x...)"; the kernel's own page has a name and no file.
  std::vector<std::string> libraries = {loader};
  std::istringstream lines(child.output());
  for (std::string line; std::getline(lines, line);) {
    if (line.find("=> not found") != std::string::npos)
      return Error{
          fmt::format("{}: a shared library is missing: {}", program, line.substr(line.find_first_not_of('\t')))};
    const std::size_t arrow = line.find("=> /");
    if (arrow == std::string::npos) continue;
    libraries.push_back(line.substr(arrow + 3, line.rfind(" (") - arrow - 3));
  }
  return libraries;
}

Result<FileDescriptor> build_initramfs(const InitramfsContents& contents) {
  FileDescriptor memory(memfd_create("initramfs", MFD_CLOEXEC));
  if (!memory.valid()) return system_error("memfd_create(initramfs)");
  LVSPEC_TRY(load_libarchive());
  Cpio cpio;
  LVSPEC_TRY(cpio.open(memory.get()));
  for (const char* folder : {"/proc", "/sys", "/dev", "/run", "/tmp", "/etc"}) LVSPEC_TRY(cpio.folder(folder));
  LVSPEC_TRY(cpio.console());
  for (const std::string& program : contents.programs) {
    LVSPEC_TRY(cpio.copy(program));
    LVSPEC_ASSIGN(const std::vector<std::string> libraries, shared_libraries(program));
    for (const std::string& library : libraries) LVSPEC_TRY(cpio.copy(library));
  }
  for (const std::string& tree : contents.trees) LVSPEC_TRY(cpio.copy_tree(tree));
  std::string order;
  if (!contents.modules_dir.empty()) {
    LVSPEC_ASSIGN(const std::vector<ModuleImage> modules,
                  modules_in_load_order(contents.modules_dir, contents.modules));
    for (const ModuleImage& module : modules) {
      const std::string path = fmt::format("/lib/modules/{}.ko", module.name);
      LVSPEC_TRY(cpio.file(path, module.image, 0644));
      order += path + "\n";
    }
  }
  LVSPEC_TRY(cpio.file(kModuleOrder, order, 0644));
  LVSPEC_TRY(cpio.close());
  return memory;
}

}  // namespace lvspec
