// SPDX-License-Identifier: Apache-2.0

// What operators ask of one worker, and what of a turn that takes.

#include "echo/server/worker.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "echo/base/clock.h"
#include "echo/base/descriptor_limit.h"
#include "echo/base/socket_address.h"
#include "echo/base/unique_fd.h"
#include "echo/control/close_reason.h"
#include "echo/control/connection_control.h"
#include "echo/control/connection_fields.h"
#include "echo/control/connection_info.h"
#include "echo/control/connection_order.h"
#include "echo/control/listener_settings.h"
#include "echo/control/stats.h"
#include "echo/event/event_loop.h"
#include "echo/event/timer.h"
#include "echo/server/operator_jobs.h"
#include "echo/session/connection.h"
#include "echo/session/listener_handle.h"
#include "echo/session/listener_stats.h"
#include "echo/testing/every_turn.h"
#include "echo/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace {

// How many connections have been described: each asks for its own address.
int described = 0;

}  // namespace

// In place of the C library's, for this program.
extern "C" int getsockname(int fd, sockaddr* address, socklen_t* size) {
  ++described;
  return static_cast<int>(syscall(SYS_getsockname, fd, address, size));
}

namespace echod {
namespace {

constexpr ListenerHandle kListener{1};

// A worker on a loop that the test runs.
class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() {
    RaiseDescriptorLimit();
    worker_.AddListener(kListener, "default", {.mode = EchoMode::kRaw}, stats_);
    late_.Arm(absl::Seconds(20));
  }
  ~WorkerTest() override { worker_.Stop(); }

  void AddConnection(UniqueFd socket) {
    ASSERT_TRUE(socket.valid());
    worker_.AddLoad();
    worker_.Adopt({.listener = kListener,
                   .stats = stats_,
                   .socket = std::move(socket),
                   .remote = SocketAddress(),
                   .number = ++last_number_,
                   .generation = 1});
  }

  // Connections that rest. Nobody ever sends to such a socket, so it needs no
  // other end.
  void AddIdle(int count) {
    for (int i = 0; i < count; ++i) {
      AddConnection(UniqueFd(
          socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, /*protocol=*/0)));
    }
  }

  // Runs the loop until somebody stops it, and returns the most that a turn
  // has added to `count`.
  int MostInATurn(const int& count) {
    int seen = count;
    int most = 0;
    const EveryTurn every_turn(*loop_, [&] {
      most = std::max(most, count - seen);
      seen = count;
    });
    EXPECT_TRUE(loop_->Run().ok());
    return most;
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  FakeClock clock_;
  const std::shared_ptr<ListenerStats> stats_ =
      std::make_shared<ListenerStats>(1);
  Worker worker_{0, clock_, *loop_};
  std::uint64_t last_number_ = 0;
  // So that a test fails rather than hangs.
  Timer late_{*loop_, [this] {
                ADD_FAILURE() << "the loop was not stopped in time";
                loop_->Stop();
              }};
};

constexpr int kDescribesInATurn = OperatorJobs::kTurn / OperatorJobs::kDescribe;

TEST_F(WorkerTest, ListsTogetherTakeNoMoreOfATurnThanOne) {
  AddIdle(100);
  int lists = 100;
  described = 0;
  for (int i = lists; i > 0; --i) {
    worker_.List({.limit = 100}, [&](const ConnectionPart& found) {
      EXPECT_EQ(found.connections.size(), 100u);
      if (--lists == 0) loop_->Stop();
    });
  }
  EXPECT_LE(MostInATurn(described), kDescribesInATurn);
  EXPECT_EQ(described, 100 * 100);
}

// Matches nothing, and counts.
class MatchesNone final : public ConnectionPredicate {
 public:
  explicit MatchesNone(int& calls) : calls_(calls) {}
  bool Matches(const ConnectionFields& /*connection*/,
               MonotonicTime /*now*/) const override {
    ++calls_;
    return false;
  }
  int cost() const override { return 28; }

 private:
  int& calls_;
};

TEST_F(WorkerTest, AFilterThatMatchesNothingTakesNoMoreOfATurn) {
  AddIdle(3000);
  int calls = 0;
  worker_.List({.filter = std::make_shared<MatchesNone>(calls), .limit = 10},
               [&](const ConnectionPart& found) {
                 EXPECT_TRUE(found.places.empty());
                 loop_->Stop();
               });
  EXPECT_LE(MostInATurn(calls),
            OperatorJobs::kTurn / (OperatorJobs::kLook + 28));
  EXPECT_EQ(calls, 3000);
}

const ConnectionOrder kNewestFirst = {
    {.field = ConnectionField::kName, .descending = true}};

TEST_F(WorkerTest, AnOrderKeepsAndDescribesOnlyAPage) {
  AddIdle(3000);
  described = 0;
  worker_.List({.order = kNewestFirst, .limit = 10},
               [&](const ConnectionPart& found) {
                 std::set<std::uint64_t> numbers;
                 for (const ConnectionInfo& each : found.connections) {
                   numbers.insert(each.number);
                 }
                 EXPECT_EQ(numbers.size(), 11u);
                 EXPECT_EQ(*numbers.begin(), 2990u);
                 EXPECT_EQ(found.matches, 3000);
                 loop_->Stop();
               });
  EXPECT_TRUE(loop_->Run().ok());
  EXPECT_EQ(described, 11);
}

TEST_F(WorkerTest, ConnectionsThatCloseDuringAListAreLeftOut) {
  AddIdle(2000);
  described = 0;
  int described_before = 0;
  worker_.List(
      {.order = kNewestFirst, .limit = 1999}, [&](const ConnectionPart& found) {
        EXPECT_EQ(found.places.size(), 2000u);
        EXPECT_EQ(found.connections.size(), 2000u);
        const auto left =
            std::count_if(found.connections.begin(), found.connections.end(),
                          [](const auto& each) { return each.number != 0; });
        EXPECT_GT(left, 0);
        EXPECT_EQ(left, described_before);
        loop_->Stop();
      });
  const EveryTurn every_turn(*loop_, [&] {
    if (described == 0 || described_before > 0) return;
    described_before = described;
    for (std::uint64_t number = 1; number <= 2000; ++number) {
      worker_.Find(number)->Reset(CloseReason::kAdminReset);
    }
  });
  EXPECT_TRUE(loop_->Run().ok());
}

TEST_F(WorkerTest, ServesAFloodOfRequestsAFewInATurn) {
  int served = 0;
  for (int i = 0; i < 1000; ++i) {
    worker_.Serve(OperatorJobs::kAnswerRequest, [&](Worker&) {
      if (++served == 1000) loop_->Stop();
    });
  }
  EXPECT_LE(MostInATurn(served),
            OperatorJobs::kTurn / OperatorJobs::kAnswerRequest);
}

class SweepTest : public WorkerTest,
                  public ::testing::WithParamInterface<absl::Duration> {};

TEST_P(SweepTest, LooksAtAPartOfTheConnectionsInATurn) {
  constexpr int kLooksInATurn = OperatorJobs::kTurn / OperatorJobs::kLook;
  constexpr int kConnections = kLooksInATurn + 100;
  if (RaiseDescriptorLimit() < kConnections + 100) {
    GTEST_SKIP() << "needs " << kConnections << " descriptors";
  }
  AddIdle(kConnections);
  int looked_at = 0;
  worker_.Start({.select =
                     [&](const Connection&) {
                       ++looked_at;
                       return false;
                     },
                 .spread = GetParam(),
                 .cost = OperatorJobs::kEndConnection,
                 .visit = [](Connection&) {},
                 .done = [this] { loop_->Stop(); }});
  EXPECT_LE(MostInATurn(looked_at), kLooksInATurn);
  EXPECT_EQ(looked_at, kConnections);
}

INSTANTIATE_TEST_SUITE_P(AtOnceAndSpread, SweepTest,
                         ::testing::Values(absl::ZeroDuration(),
                                           absl::Milliseconds(1)));

TEST_F(WorkerTest, SettingsAreDoneWhenEveryConnectionHasThem) {
  AddIdle(2 * OperatorJobs::kTurn / OperatorJobs::kNewSettings);
  // The last one owes its peer so much that a lower limit stops its reading.
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  AddConnection(UniqueFd(ends[0]));
  const UniqueFd peer(ends[1]);
  const std::string bytes(64 * 1024, 'b');
  std::int64_t sent = 0;
  bool changed = false;
  const EveryTurn every_turn(*loop_, [&] {
    const Counters counters = stats_->Total();
    if (sent < 700'000) {
      sent += std::max<ssize_t>(
          send(peer.get(), bytes.data(), bytes.size(), MSG_DONTWAIT), 0);
    } else if (counters.bytes_received == sent && !changed) {
      changed = true;
      EXPECT_GT(counters.bytes_buffered, 100'000);
      EXPECT_EQ(counters.read_pauses, 0);
      worker_.SetListenerSettings(
          kListener, {.mode = EchoMode::kRaw, .max_buffered_bytes = 65536},
          [&] {
            EXPECT_EQ(stats_->Total().read_pauses, 1);
            loop_->Stop();
          });
    }
  });
  EXPECT_TRUE(loop_->Run().ok());
}

TEST_F(WorkerTest, ASpreadSweepForgetsConnectionsThatHaveGone) {
  AddIdle(11);
  int looked_at = 0;
  worker_.Start(
      {.select =
           [&](const Connection& connection) {
             ++looked_at;
             return connection.number() != 11;  // lives on
           },
       .spread = absl::Hours(24),
       .cost = OperatorJobs::kEndConnection,
       .visit = [](Connection&) { ADD_FAILURE() << "it is not time"; },
       .done = [this] { loop_->Stop(); }});
  const auto reset = [this](std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i <= to; ++i) {
      worker_.Find(i)->Reset(CloseReason::kAdminReset);
    }
  };
  // Some before the sweep has seen them, the others after.
  reset(1, 4);
  looked_at = 0;
  const EveryTurn every_turn(*loop_, [&] {
    if (looked_at == 7) reset(5, 10);
  });
  EXPECT_TRUE(loop_->Run().ok());
}

TEST_F(WorkerTest, ASpreadSweepVisitsEachConnectionOnceAndInTime) {
  AddIdle(10);
  std::vector<std::uint64_t> visited;
  worker_.Start({.select =
                     [](const Connection& connection) {
                       return connection.number() != 3;
                     },
                 .spread = absl::Seconds(90),
                 .cost = OperatorJobs::kEndConnection,
                 .visit =
                     [&](Connection& connection) {
                       visited.push_back(connection.number());
                       connection.Reset(CloseReason::kAdminReset);
                     },
                 .done = [this] { loop_->Stop(); }});
  AddIdle(1);  // comes later, and is left alone
  std::size_t due = 0;
  const EveryTurn every_turn(*loop_, [&] {
    EXPECT_LE(visited.size(), due);
    if (visited.size() < due || due == 9) return;
    clock_.Advance(absl::Seconds(10));
    ++due;
  });
  EXPECT_TRUE(loop_->Run().ok());
  EXPECT_EQ(visited, std::vector<std::uint64_t>({1, 2, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(worker_.load(), 2);
}

// However many it is given, it takes them a few at a time.
TEST_F(WorkerTest, AdoptsABoundedNumberOfSocketsInATurn) {
  constexpr int kSockets = 2000;
  if (RaiseDescriptorLimit() < kSockets + 100) {
    GTEST_SKIP() << "needs " << kSockets << " descriptors";
  }
  std::vector<AcceptedSocket> accepted;
  for (int i = 0; i < kSockets; ++i) {
    worker_.AddLoad();
    accepted.push_back(
        {.listener = kListener,
         .stats = stats_,
         .socket = UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)),
         .remote = SocketAddress(),
         .number = ++last_number_,
         .generation = 1});
  }
  worker_.HandOver(std::move(accepted));
  int adopted = 0;
  int most = 0;
  const EveryTurn every_turn(*loop_, [&] {
    const int now = static_cast<int>(stats_->Total().accepted);
    most = std::max(most, now - adopted);
    adopted = now;
    if (adopted == kSockets) loop_->Stop();
  });
  EXPECT_TRUE(loop_->Run().ok());
  // The loop runs at most 64 closures in a turn, and those of two turns may lie
  // between two callbacks.
  EXPECT_LE(most, 2 * 64 * static_cast<int>(Worker::kAdoptedAtOnce));
}

TEST_F(WorkerTest, ForgetsAListenerWhenItsLastConnectionHasGone) {
  constexpr ListenerHandle kOther{2};
  worker_.AddListener(kOther, "default", {}, stats_);
  AddIdle(2);
  bool gone = false;
  worker_.RemoveListener(kListener, [&] { gone = true; });
  worker_.Find(1)->Reset(CloseReason::kAdminReset);
  EXPECT_FALSE(gone);
  EXPECT_EQ(worker_.listener_count(), 2u);
  worker_.Find(2)->Reset(CloseReason::kAdminReset);
  EXPECT_TRUE(gone);
  EXPECT_EQ(worker_.listener_count(), 1u);
  // One that has none goes at once.
  gone = false;
  worker_.RemoveListener(kOther, [&] { gone = true; });
  EXPECT_TRUE(gone);
  EXPECT_EQ(worker_.listener_count(), 0u);
}

}  // namespace
}  // namespace echod
