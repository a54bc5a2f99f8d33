#include "harness/probe/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <sstream>

#include "harness/probe/tcp_dialogue.h"

namespace lvspec {
namespace {

// Drives one dialogue to its end.
Status run(TcpDialogue* dialogue) {
  while (!dialogue->done()) {
    pollfd entry{dialogue->socket().get(), dialogue->awaited(), 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(dialogue->deadline() - ProbeClock::now()).count();
    const int ready = poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0) {
      LVSPEC_TRY(dialogue->advance());
    } else if (ready == 0 && left <= 0) {
      dialogue->give_up();
    }
  }
  return {};
}

// Drives many dialogues over one epoll. A slot is the place of one connection in flight.
class Crowd {
 public:
  Crowd(const std::string& node, const std::vector<Attempt>& attempts, std::size_t in_flight)
      : node_(node), attempts_(attempts), slots_(std::min(in_flight, attempts.size())), answers_(attempts.size()) {}

  Result<std::vector<Answer>> run() {
    epoll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_.valid()) return system_error(node_ + ": epoll_create1()");
    for (std::size_t i = 0; i < slots_.size(); ++i) LVSPEC_TRY(fill(i));
    while (open_ > 0) {
      std::array<epoll_event, 64> events;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest_ - ProbeClock::now()).count();
      const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(std::max<std::int64_t>(left, 0)));
      if (ready < 0 && errno != EINTR) return system_error(node_ + ": epoll_wait()");
      for (int i = 0; i < ready; ++i) {
        const auto slot = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
        LVSPEC_TRY(slots_[slot].dialogue->advance());
        LVSPEC_TRY(refill(slot));
      }
      if (ProbeClock::now() >= earliest_) LVSPEC_TRY(expire());
    }
    return std::move(answers_);
  }

 private:
  struct Slot {
    std::optional<TcpDialogue> dialogue;
    std::size_t attempt = 0;
  };

  // Starts the next attempt, and those after it for as long as they end at once.
  Status fill(std::size_t index) {
    Slot& slot = slots_[index];
    slot.dialogue.reset();
    while (next_ < attempts_.size()) {
      slot.attempt = next_++;
      LVSPEC_ASSIGN(TcpDialogue dialogue,
                    TcpDialogue::begin(node_, attempts_[slot.attempt], TcpDialogue::Then::kClose));
      if (dialogue.done()) {
        answers_[slot.attempt] = dialogue.take_answer();
        continue;
      }
      // Edge-triggered, and registered once for both directions: a dialogue always goes on until it has to wait.
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      event.data.u64 = index;
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, dialogue.socket().get(), &event) != 0)
        return system_error(node_ + ": epoll_ctl(ADD)");
      earliest_ = std::min(earliest_, dialogue.deadline());
      slot.dialogue.emplace(std::move(dialogue));
      ++open_;
      return {};
    }
    return {};
  }

  Status refill(std::size_t index) {
    Slot& slot = slots_[index];
    if (!slot.dialogue->done()) return {};
    answers_[slot.attempt] = slot.dialogue->take_answer();
    --open_;
    return fill(index);
  }

  // `earliest_` is a lower bound, made exact here: deadlines that never come cost nothing.
  Status expire() {
    const auto now = ProbeClock::now();
    earliest_ = ProbeClock::time_point::max();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].dialogue && slots_[i].dialogue->deadline() <= now) {
        slots_[i].dialogue->give_up();
        LVSPEC_TRY(refill(i));
      }
      if (slots_[i].dialogue) earliest_ = std::min(earliest_, slots_[i].dialogue->deadline());
    }
    return {};
  }

  const std::string& node_;
  const std::vector<Attempt>& attempts_;
  std::vector<Slot> slots_;
  std::vector<Answer> answers_;
  FileDescriptor epoll_;
  std::size_t next_ = 0;
  std::size_t open_ = 0;
  ProbeClock::time_point earliest_ = ProbeClock::time_point::max();
};

}  // namespace

Result<Answer> Client::connect(const Attempt& attempt) const {
  LVSPEC_ASSIGN(TcpDialogue dialogue,
                netns_->call([&] { return TcpDialogue::begin(netns_->name(), attempt, TcpDialogue::Then::kClose); }));
  LVSPEC_TRY(run(&dialogue));
  return dialogue.take_answer();
}

Result<std::vector<Answer>> Client::connect_all(const std::vector<Attempt>& attempts, std::size_t in_flight) const {
  LVSPEC_CHECK(in_flight > 0);
  return netns_->call([&] { return Crowd(netns_->name(), attempts, in_flight).run(); });
}

Result<Connection> Client::open(const Attempt& attempt) const {
  LVSPEC_ASSIGN(TcpDialogue dialogue, netns_->call([&] {
    return TcpDialogue::begin(netns_->name(), attempt, TcpDialogue::Then::kKeepOpen);
  }));
  LVSPEC_TRY(run(&dialogue));
  if (dialogue.answer().outcome != Outcome::kAnswered) {
    std::ostringstream text;
    text << netns_->name() << ": open: " << dialogue.answer();
    return director_error(text.str());
  }
  return Connection(netns_->name(), attempt, dialogue.take_socket(), dialogue.take_answer(), dialogue.take_unread());
}

Result<Answer> Client::udp(const Attempt& attempt) const {
  LVSPEC_ASSIGN(UdpSocket socket, open_udp(attempt));
  return socket.ask();
}

Result<UdpSocket> Client::open_udp(const Attempt& attempt) const {
  return netns_->call([&]() -> Result<UdpSocket> {
    LVSPEC_ASSIGN(FileDescriptor socket, bound_socket(netns_->name(), SOCK_DGRAM, attempt));
    // Connected, so that an ICMP error reaches it and a reply from another address does not.
    if (const int error = connect_socket(socket, attempt.target); error != 0)
      return system_error(fmt::format("{}: connect(udp {})", netns_->name(), attempt.target.str()), error);
    const Endpoint client = local_end(socket);
    return UdpSocket(attempt, client, std::move(socket));
  });
}

}  // namespace lvspec
