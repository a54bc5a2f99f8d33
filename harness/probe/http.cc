#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "harness/probe/client.h"
#include "harness/probe/identity.h"
#include "harness/probe/sockets.h"

namespace lvspec {
namespace {

constexpr std::size_t kLongestBody = 64 * 1024;

struct EasyCleanup {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiCleanup {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
using Easy = std::unique_ptr<CURL, EasyCleanup>;
using Multi = std::unique_ptr<CURLM, MultiCleanup>;

// One easy handle and the attempt that it is on. libcurl keeps its address.
struct Transfer {
  const std::string* node = nullptr;
  Easy easy;
  Attempt attempt;
  std::size_t index = 0;
  bool busy = false;
  ProbeClock::time_point start;
  std::string url;
  std::string body;
  std::string status_line;
  std::optional<Error> refused;  // by the world: no socket, no address
};

// CURLOPT_OPENSOCKETFUNCTION: the thread is in the client's namespace.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr*) {
  auto* transfer = static_cast<Transfer*>(user);
  auto socket = bound_socket(*transfer->node, SOCK_STREAM, transfer->attempt);
  if (socket.ok()) return socket->release();
  transfer->refused = socket.error();
  return CURL_SOCKET_BAD;
}

int keep_options(void*, curl_socket_t, curlsocktype) { return CURL_SOCKOPT_OK; }

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  if (transfer->body.size() < kLongestBody) transfer->body.append(data, size * count);
  return size * count;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  std::string_view line(data, size * count);
  if (line.starts_with("HTTP/"))
    static_cast<Transfer*>(user)->status_line = line.substr(0, line.find_last_not_of("\r\n") + 1);
  return size * count;
}

// What does not change from one attempt to the next.
Status prepare(const curl_slist* headers, Transfer* transfer) {
  transfer->easy.reset(curl_easy_init());
  if (transfer->easy == nullptr) return Error{*transfer->node + ": curl_easy_init()"};
  CURL* easy = transfer->easy.get();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, keep_options);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // http_proxy in the environment must not lead probes astray
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  return {};
}

Result<Answer> read_result(Transfer* transfer, CURLcode code) {
  if (transfer->refused) return *transfer->refused;
  CURL* easy = transfer->easy.get();
  Answer answer{.client = transfer->attempt.client, .target = transfer->attempt.target};
  answer.took = since(transfer->start);
  long port = 0;
  if (curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port) == CURLE_OK && port > 0)
    answer.client.port = static_cast<std::uint16_t>(port);
  if (code == CURLE_OK) {
    answer.outcome = Outcome::kAnswered;
    answer.detail = transfer->status_line;
    read_identity(transfer->body, &answer);
    return answer;
  }
  long error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
  answer.detail = curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      answer.outcome = Outcome::kSilence;
      return answer;
    case CURLE_GOT_NOTHING:   // FIN instead of a reply
    case CURLE_PARTIAL_FILE:  // FIN in the middle of one
      answer.outcome = Outcome::kReset;
      return answer;
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      if (const auto outcome = outcome_of(static_cast<int>(error))) {
        answer.outcome = *outcome;
        answer.detail += ": " + errno_text(static_cast<int>(error));
        return answer;
      }
      break;
    default:
      break;
  }
  std::string words = fmt::format("{}: curl({}): {}", *transfer->node, transfer->url, answer.detail);
  if (error != 0) words += ": " + errno_text(static_cast<int>(error));
  return Error{words};
}

class HttpCrowd {
 public:
  HttpCrowd(const std::string& node, const std::vector<Attempt>& attempts, const std::string& path,
            std::size_t in_flight)
      : node_(node),
        attempts_(attempts),
        path_(path),
        transfers_(std::min(in_flight, attempts.size())),
        answers_(attempts.size()) {}
  HttpCrowd(const HttpCrowd&) = delete;
  HttpCrowd& operator=(const HttpCrowd&) = delete;

  ~HttpCrowd() {
    for (Transfer& transfer : transfers_)
      if (transfer.busy) curl_multi_remove_handle(multi_.get(), transfer.easy.get());
    transfers_.clear();  // before the multi handle and the headers that they use
    curl_slist_free_all(headers_);
  }

  Result<std::vector<Answer>> run() {
    multi_.reset(curl_multi_init());
    headers_ = curl_slist_append(nullptr, "Connection: close");
    if (multi_ == nullptr || headers_ == nullptr) return Error{node_ + ": curl_multi_init()"};
    for (Transfer& transfer : transfers_) {
      transfer.node = &node_;
      LVSPEC_TRY(prepare(headers_, &transfer));
      LVSPEC_TRY(start_next(&transfer));
    }
    while (busy_ > 0) {
      int running = 0;
      LVSPEC_TRY(check("curl_multi_perform", curl_multi_perform(multi_.get(), &running)));
      const bool progress = static_cast<std::size_t>(running) < busy_;
      LVSPEC_TRY(collect());
      // What collect has started is on its way only after another perform.
      if (!progress)
        LVSPEC_TRY(check("curl_multi_poll", curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr)));
    }
    return std::move(answers_);
  }

 private:
  static constexpr int kPollMs = 1000;  // an upper bound: libcurl wakes up for its own timeouts

  Status check(const char* call, CURLMcode code) const {
    if (code == CURLM_OK) return {};
    return Error{fmt::format("{}: {}: {}", node_, call, curl_multi_strerror(code))};
  }

  Status start_next(Transfer* transfer) {
    transfer->busy = false;
    if (next_ == attempts_.size()) return {};
    transfer->index = next_++;
    transfer->attempt = attempts_[transfer->index];
    transfer->body.clear();
    transfer->status_line.clear();
    transfer->refused.reset();
    transfer->url = fmt::format("http://{}{}", transfer->attempt.target.str(), path_);
    const auto patience = static_cast<long>(transfer->attempt.patience.count());
    CURL* easy = transfer->easy.get();
    curl_easy_setopt(easy, CURLOPT_URL, transfer->url.c_str());
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, patience);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, patience);
    transfer->start = ProbeClock::now();
    LVSPEC_TRY(check("curl_multi_add_handle", curl_multi_add_handle(multi_.get(), easy)));
    transfer->busy = true;
    ++busy_;
    return {};
  }

  // Takes the answers of all transfers that have ended and gives their places to the next attempts.
  Status collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;  // the message dies with remove_handle
      CURL* easy = message->easy_handle;
      char* user = nullptr;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &user);
      auto* transfer = reinterpret_cast<Transfer*>(user);
      curl_multi_remove_handle(multi_.get(), easy);
      transfer->busy = false;
      --busy_;
      LVSPEC_ASSIGN(answers_[transfer->index], read_result(transfer, code));
      LVSPEC_TRY(start_next(transfer));
    }
    return {};
  }

  const std::string& node_;
  const std::vector<Attempt>& attempts_;
  const std::string& path_;
  Multi multi_;
  curl_slist* headers_ = nullptr;
  std::vector<Transfer> transfers_;
  std::vector<Answer> answers_;
  std::size_t next_ = 0;
  std::size_t busy_ = 0;
};

// curl_global_init is not safe against itself before 7.84.
void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { LVSPEC_CHECK_EQ(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK); });
}

}  // namespace

Result<Answer> Client::http(const Attempt& attempt, const std::string& path) const {
  LVSPEC_ASSIGN(auto answers, http_all({attempt}, path, 1));
  return std::move(answers.front());
}

Result<std::vector<Answer>> Client::http_all(const std::vector<Attempt>& attempts, const std::string& path,
                                             std::size_t in_flight) const {
  LVSPEC_CHECK(in_flight > 0);
  initialise_curl();
  return netns_->call([&] { return HttpCrowd(netns_->name(), attempts, path, in_flight).run(); });
}

}  // namespace lvspec
