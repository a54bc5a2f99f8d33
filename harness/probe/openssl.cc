#include "harness/probe/openssl.h"

#include <openssl/ec.h>

#include <array>

namespace lvspec {
namespace {

// Time passes in leaps here, forwards only.
constexpr long kYear = 365L * 24 * 3600;

}  // namespace

Error openssl_error(const std::string& attempt) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return Error{attempt + ": " + text.data()};
}

Result<TlsIdentity> TlsIdentity::create() {
  TlsIdentity made{PrivateKey(EVP_EC_gen("P-256")), X509Certificate(X509_new())};
  if (!made.key || !made.certificate) return openssl_error("TLS identity: EVP_EC_gen(P-256)");
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kYear);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 20 * kYear);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(kTlsName), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_set_pubkey(certificate, made.key.get());
  if (X509_sign(certificate, made.key.get(), EVP_sha256()) == 0) return openssl_error("TLS identity: X509_sign()");
  return made;
}

}  // namespace lvspec
