#include "harness/lab/qemu/module_set.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "harness/lab/qemu/archive.h"

namespace lvspec {
namespace {

/// "kernel/lib/crc-ccitt.ko.xz" is crc_ccitt.
std::string name_of(std::string_view path) {
  path = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  std::string name(path.substr(0, path.find(".ko")));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// Whole content of a module file; libarchive sees by itself whether it is packed, and how (xz since Debian's 6.6).
Result<std::string> read_module(const std::string& path) {
  const ArchiveHandle reader(LIBARCHIVE(archive_read_new)());
  LIBARCHIVE(archive_read_support_filter_all)(reader.get());
  LIBARCHIVE(archive_read_support_format_raw)(reader.get());
  archive_entry* entry = nullptr;
  if (LIBARCHIVE(archive_read_open_filename)(reader.get(), path.c_str(), 1 << 16) != ARCHIVE_OK ||
      LIBARCHIVE(archive_read_next_header)(reader.get(), &entry) != ARCHIVE_OK)
    return archive_failure(fmt::format("module {}", path), reader.get());
  std::string image;
  char chunk[1 << 16];
  la_ssize_t count = 0;
  while ((count = LIBARCHIVE(archive_read_data)(reader.get(), chunk, sizeof chunk)) > 0)
    image.append(chunk, static_cast<std::size_t>(count));
  if (count < 0) return archive_failure(fmt::format("module {}", path), reader.get());
  return image;
}

class ModuleSet {
 public:
  explicit ModuleSet(std::string dir) : dir_(std::move(dir)) {}

  Status index() {
    std::error_code error;
    std::filesystem::recursive_directory_iterator at(dir_ + "/kernel", error);
    if (error)
      return Error{fmt::format("{}/kernel: {}; --modules names the directory of one release, as /lib/modules/6.1.0-9",
                               dir_, error.message())};
    for (; at != std::filesystem::recursive_directory_iterator(); at.increment(error)) {
      if (error) return Error{fmt::format("{}/kernel: {}", dir_, error.message())};
      const std::string path = at->path().string();
      if (path.find(".ko") != std::string::npos) files_[name_of(path)] = path;
    }
    std::ifstream builtin(dir_ + "/modules.builtin");
    for (std::string line; std::getline(builtin, line);) builtin_.insert(name_of(line));
    return {};
  }

  /// @param hard  false: what is not there is not needed.
  Status add(const std::string& name, bool hard) {
    if (builtin_.count(name) != 0 || !seen_.insert(name).second) return {};
    const auto file = files_.find(name);
    if (file == files_.end()) {
      seen_.erase(name);
      if (!hard) return {};
      return Error{fmt::format("kernel {}: no module {}{}", std::filesystem::path(dir_).filename().string(), name,
                               name.starts_with("ip_vs")
                                   ? "; this kernel was built without that part of IPVS, take another one "
                                     "(Debian's linux-image-cloud-amd64 has it)"
                                   : fmt::format("; looked in {}", dir_))};
    }
    LVSPEC_ASSIGN(std::string image, read_module(file->second));
    for (const std::string& before : module_info(image, "softdep")) {
      std::istringstream words(before);
      bool pre = false;
      for (std::string word; words >> word;) {
        if (word.back() == ':') {
          pre = word == "pre:";
        } else if (pre) {
          std::replace(word.begin(), word.end(), '-', '_');
          // Of algorithms it names what they do; their plain version does for us, where it is a module at all.
          LVSPEC_TRY(add(files_.count(word) != 0 ? word : word + "_generic", false));
        }
      }
    }
    for (const std::string& list : module_info(image, "depends")) {
      std::istringstream needed(list);
      for (std::string word; std::getline(needed, word, ',');) LVSPEC_TRY(add(name_of(word), true));
    }
    order_.push_back({name, std::move(image)});
    return {};
  }

  std::vector<ModuleImage> take() { return std::move(order_); }

 private:
  std::string dir_;
  std::map<std::string, std::string> files_;
  std::set<std::string> builtin_, seen_;
  std::vector<ModuleImage> order_;
};

/// A struct of the file at that place, if the file reaches that far.
template <typename T>
bool read_at(const std::string& image, std::uint64_t at, T* value) {
  if (at > image.size() || image.size() - at < sizeof *value) return false;
  std::memcpy(value, image.data() + at, sizeof *value);
  return true;
}

}  // namespace

std::vector<std::string> module_info(const std::string& image, const std::string& key) {
  Elf64_Ehdr file{};
  Elf64_Shdr names{}, section{};
  if (!read_at(image, 0, &file) || std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 ||
      file.e_ident[EI_CLASS] != ELFCLASS64 ||
      !read_at(image, file.e_shoff + std::uint64_t{file.e_shstrndx} * sizeof names, &names))
    return {};
  std::vector<std::string> values;
  for (unsigned i = 0; i < file.e_shnum; ++i) {
    if (!read_at(image, file.e_shoff + std::uint64_t{i} * sizeof section, &section)) return {};
    const std::uint64_t name_at = names.sh_offset + section.sh_name;
    if (name_at >= image.size() || std::strcmp(image.c_str() + name_at, ".modinfo") != 0) continue;
    if (section.sh_offset > image.size() || section.sh_size > image.size() - section.sh_offset) return {};
    std::istringstream lines(image.substr(section.sh_offset, section.sh_size));
    for (std::string line; std::getline(lines, line, '\0');)
      if (line.starts_with(key + "=")) values.push_back(line.substr(key.size() + 1));
  }
  return values;
}

Result<std::vector<ModuleImage>> modules_in_load_order(const std::string& dir,
                                                       const std::vector<std::string>& names) {
  LVSPEC_TRY(load_libarchive());
  ModuleSet set(dir);
  LVSPEC_TRY(set.index());
  for (const std::string& name : names) LVSPEC_TRY(set.add(name_of(name), true));
  return set.take();
}

}  // namespace lvspec
