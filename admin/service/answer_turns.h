// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVICE_ANSWER_TURNS_H_
#define ADMIN_SERVICE_ANSWER_TURNS_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "echo/base/mutex.h"

namespace echod {

// Limits how many large answers exist at a time, per client and in total, from
// when they are made until the client has read them: the answers to a client
// that does not read would pile up in gRPC. Further requests wait for their
// turn, which costs next to nothing. Thread-safe.
class AnswerTurns {
 public:
  using Start = absl::AnyInvocable<void()>;
  using Ticket = std::uint64_t;

  AnswerTurns(std::size_t most_of_client, std::size_t most)
      : most_of_client_(most_of_client), most_(most) {}

  // Calls `start` when its turn comes: before returning, or in a later End.
  Ticket Begin(const std::string& client, Start start);

  // Cancels a Begin. False if `start` has been called, or is about to be.
  bool Cancel(Ticket ticket);

  // The client has its answer. Once for each `start` that was called.
  void End(const std::string& client);

 private:
  struct Waiting {
    Ticket ticket;
    std::string client;
    Start start;
  };

  bool HasTurn(const std::string& client) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t most_of_client_;
  const std::size_t most_;

  Mutex mutex_;
  Ticket last_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::size_t> by_client_ ABSL_GUARDED_BY(mutex_);
  std::list<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);  // in order
};

}  // namespace echod

#endif  // ADMIN_SERVICE_ANSWER_TURNS_H_
