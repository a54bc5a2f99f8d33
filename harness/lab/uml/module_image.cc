#include "harness/lab/uml/module_image.h"

#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace lvspec {
namespace {

Status read_at(int fd, void* to, std::size_t size, std::size_t offset) {
  const ssize_t count = pread(fd, to, size, static_cast<off_t>(offset));
  if (count < 0) return system_error("pread(module)");
  if (static_cast<std::size_t>(count) != size) return Error{"module: ends before its sections do"};
  return {};
}

}  // namespace

Result<std::size_t> module_without_debug_info(int fd, std::span<char> buffer) {
  Elf64_Ehdr header;
  LVSPEC_TRY(read_at(fd, &header, sizeof header, 0));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_type != ET_REL || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum)
    return Error{"module: not a 64-bit ELF object"};
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  LVSPEC_TRY(read_at(fd, sections.data(), sections.size() * sizeof(Elf64_Shdr), header.e_shoff));
  Elf64_Shdr& name_section = sections[header.e_shstrndx];
  std::string names(name_section.sh_size, '\0');
  LVSPEC_TRY(read_at(fd, names.data(), names.size(), name_section.sh_offset));

  // A section that goes keeps its number, because symbols name sections by number, and becomes one that nobody looks
  // at (kernel/module/main.c: SHT_NULL is neither checked, nor laid out, nor relocated).
  std::size_t end = sizeof header;
  for (Elf64_Shdr& section : sections) {
    if (section.sh_name >= names.size()) return Error{"module: a section's name lies outside the names"};
    const std::string_view name = names.c_str() + section.sh_name;
    if (name.rfind(".debug", 0) == 0 || name.rfind(".rela.debug", 0) == 0) {
      section = {};
    } else if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL && &section != &name_section) {
      end = std::max<std::size_t>(end, section.sh_offset + section.sh_size);
    }
  }

  // What is kept stays where it was; behind it the names and the section headers.
  name_section.sh_offset = end;
  header.e_shoff = (end + names.size() + 7) & ~std::size_t{7};
  const std::size_t size = header.e_shoff + sections.size() * sizeof(Elf64_Shdr);
  if (size > buffer.size())
    return Error{fmt::format("module: {} bytes, more than the {} of its buffer", size, buffer.size())};
  LVSPEC_TRY(read_at(fd, buffer.data(), end, 0));
  std::memcpy(buffer.data(), &header, sizeof header);
  std::memcpy(buffer.data() + end, names.data(), names.size());
  std::memcpy(buffer.data() + header.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr));
  return size;
}

}  // namespace lvspec
