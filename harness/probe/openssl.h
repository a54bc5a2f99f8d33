#pragma once

// OpenSSL's objects as values that free themselves; not for other rooms.

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "harness/base/result.h"

namespace lvspec {

template <auto free>
struct OpenSslFree {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};

using PrivateKey = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY_free>>;
using X509Certificate = std::unique_ptr<X509, OpenSslFree<X509_free>>;
using TlsContext = std::unique_ptr<SSL_CTX, OpenSslFree<SSL_CTX_free>>;
using TlsSession = std::unique_ptr<SSL_SESSION, OpenSslFree<SSL_SESSION_free>>;
using TlsStream = std::unique_ptr<SSL, OpenSslFree<SSL_free>>;

/// "real2: SSL_CTX_new(): error:0A0000...": the oldest of OpenSSL's errors, and all of them are forgotten.
Error openssl_error(const std::string& attempt);

/// The name in every certificate, and the one that clients ask for.
inline constexpr const char* kTlsName = "www.lvspec.test";

/// A key (P-256) and a certificate that it has signed itself, made here and now, in memory only.
struct TlsIdentity {
  PrivateKey key;
  X509Certificate certificate;
  static Result<TlsIdentity> create();
};

}  // namespace lvspec
