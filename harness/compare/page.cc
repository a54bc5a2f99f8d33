#include "harness/compare/page.h"

#include <openssl/evp.h>

#include <string_view>

#include "harness/base/check.h"
#include "harness/compare/page_data.h"
#include "page_text.h"

namespace lvspec {
namespace {

/// As a content security policy wants it: base64 of SHA-256.
std::string digest_of_text(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  LVSPEC_CHECK(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) == 1);
  unsigned char base64[2 * EVP_MAX_MD_SIZE];
  const int length = EVP_EncodeBlock(base64, digest, static_cast<int>(size));
  return {reinterpret_cast<const char*>(base64), static_cast<std::size_t>(length)};
}

void put(std::string* page, std::string_view name, std::string_view text) {
  const auto at = page->find(name);
  LVSPEC_CHECK(at != std::string::npos);
  page->replace(at, name.size(), text);
}

/// JSON that no browser takes for the end of its script, nor for a comment.
std::string within_script(const nlohmann::json& data) {
  std::string out;
  for (const char c : data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string comparison_page(const std::vector<Column>& columns, const Law& law, const PageOptions& options) {
  std::string page = kPageHtml;
  // What may hold such names itself goes last.
  put(&page, "{style-digest}", digest_of_text(kPageStyle));
  put(&page, "{script-digest}", digest_of_text(kPageScript));
  put(&page, "{script}", kPageScript);
  put(&page, "{style}", kPageStyle);
  put(&page, "{data}", within_script(page_data(columns, law, options)));
  return page;
}

}  // namespace lvspec
