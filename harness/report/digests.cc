#include "harness/report/digests.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>

#include "harness/base/check.h"
#include "harness/base/file_descriptor.h"
#include "harness/report/file.h"

namespace lvspec {
namespace {

namespace fs = std::filesystem;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    LVSPEC_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(std::string_view text) { LVSPEC_CHECK(EVP_DigestUpdate(context_.get(), text.data(), text.size()) == 1); }
  std::string hex() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    LVSPEC_CHECK(EVP_DigestFinal_ex(context_.get(), bytes, &size) == 1);
    std::string out;
    for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

/// Of an ordinary file, piece by piece: captures may be large.
Result<std::string> sha256_of_file(const std::string& path) {
  // O_NONBLOCK: a FIFO that somebody put there must not hold us up.
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return system_error("open(" + path + ")");
  struct stat about {};
  if (fstat(fd.get(), &about) != 0) return system_error("fstat(" + path + ")");
  if (!S_ISREG(about.st_mode)) return Error{path + ": is no ordinary file"};
  Sha256 digest;
  char chunk[65536];
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read(" + path + ")");
    if (n == 0) return digest.hex();
    digest.add({chunk, static_cast<std::size_t>(n)});
  }
}

/// Everything below `dir/name` that is no folder, as paths below `dir`; links are named, not followed.
Result<std::vector<std::string>> files_below(const std::string& dir, const std::string& name) {
  std::vector<std::string> files;
  std::error_code error;
  const fs::path top = name.empty() ? fs::path(dir) : fs::path(dir) / name;
  fs::recursive_directory_iterator entry(top, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->symlink_status(ignored).type() != fs::file_type::directory)
      files.push_back(entry->path().lexically_relative(dir).generic_string());
  }
  if (error) return system_error("readdir(" + top.string() + ")", error.value());
  std::sort(files.begin(), files.end());
  return files;
}

/// Whether the folder of a file is really below `dir`, also where somebody has put a link on the way.
bool lies_below(const fs::path& path, const std::string& dir) {
  std::error_code error;
  const fs::path top = fs::canonical(dir, error);
  if (error) return false;
  const fs::path folder = fs::canonical(path.parent_path(), error);
  return !error && std::mismatch(top.begin(), top.end(), folder.begin(), folder.end()).first == top.end();
}

/// A path as the digests hold it: below the folder, in its shortest form.
bool is_below(const std::string& path) {
  const fs::path read(path);
  return !path.empty() && read.is_relative() && read.lexically_normal() == read && *read.begin() != "..";
}

}  // namespace

std::string sha256_of(std::string_view text) {
  Sha256 digest;
  digest.add(text);
  return digest.hex();
}

Result<Digests> digest_files(const std::string& dir, const std::vector<std::string>& names) {
  Digests digests;
  for (const std::string& name : names) {
    std::vector<std::string> files = {name};
    std::error_code error;
    if (fs::is_directory(fs::symlink_status(fs::path(dir) / name, error))) {
      LVSPEC_ASSIGN(files, files_below(dir, name));
    }
    for (const std::string& file : files) {
      LVSPEC_ASSIGN(digests[file], sha256_of_file(dir + "/" + file));
    }
  }
  return digests;
}

std::string digests_text(const Digests& digests) {
  std::string out;
  // Our names hold neither newlines nor backslashes, which sha256sum would escape.
  for (const auto& [file, digest] : digests) out += fmt::format("{}  {}\n", digest, file);
  return out;
}

Result<Digests> read_digests(std::string_view text, const std::string& file) {
  constexpr std::size_t kHex = 64;
  Digests digests;
  if (text.empty()) return usage_error(fmt::format("{}: is empty", file));
  if (text.back() != '\n') return usage_error(fmt::format("{}: is cut off: its last line has no end", file));
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const bool good = line.size() > kHex + 2 && line.compare(kHex, 2, "  ") == 0 &&
                      line.find_first_not_of("0123456789abcdef") == kHex && is_below(line.substr(kHex + 2));
    if (!good)
      return usage_error(
          fmt::format("{}:{}: a line is a SHA-256 in hex, two blanks, and a path below this folder", file, number));
    if (!digests.emplace(line.substr(kHex + 2), line.substr(0, kHex)).second)
      return usage_error(fmt::format("{}:{}: {} is there twice", file, number, line.substr(kHex + 2)));
  }
  return digests;
}

Result<Tampering> verify_report(const std::string& dir) {
  const std::string file = dir + "/" + std::string(kDigestsName);
  LVSPEC_ASSIGN(const std::string text, read_text_file(file));
  LVSPEC_ASSIGN(const Digests digests, read_digests(text, file));
  LVSPEC_ASSIGN(const std::vector<std::string> there, files_below(dir, ""));
  Tampering found;
  found.files = digests.size();
  for (const auto& [path, digest] : digests) {
    if (!std::binary_search(there.begin(), there.end(), path)) {
      found.missing.push_back(path);
    } else if (const auto now = sha256_of_file(dir + "/" + path); !now.ok() || *now != digest) {
      found.changed.push_back(path);
    }
  }
  for (const std::string& path : there)
    if (path != kDigestsName && digests.count(path) == 0) found.extra.push_back(path);
  return found;
}

Status seal_report(const std::string& dir, const std::vector<std::string>& names) {
  const std::string file = dir + "/" + std::string(kDigestsName);
  LVSPEC_ASSIGN(const Digests digests, digest_files(dir, names));
  if (const auto text = read_text_file(file); text.ok()) {
    // Digests that cannot be read are nobody's leave to remove anything.
    const auto earlier = read_digests(*text, file);
    if (earlier.ok()) {
      for (const auto& [path, digest] : *earlier) {
        const fs::path stale = fs::path(dir) / path;
        if (digests.count(path) != 0 || !lies_below(stale, dir)) continue;
        std::error_code ignored;
        fs::remove(stale, ignored);
        // The folder of a case goes with its last file; one that is not empty stays.
        if (fs::path(path).has_parent_path()) fs::remove(stale.parent_path(), ignored);
      }
    }
  }
  return write_file(file, digests_text(digests));
}

}  // namespace lvspec
