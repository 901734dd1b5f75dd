// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_SERVER_REQUEST_LIMIT_H_
#define ECHO_SERVER_REQUEST_LIMIT_H_

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "echo/control/reply.h"

namespace echod {

// Limits the number of requests that wait for an answer, and so the memory that
// they take. Thread-safe.
class RequestLimit {
 public:
  explicit RequestLimit(int most) : most_(most) {}

  // Returns a Reply that passes its answer on to `reply`, and counts until it
  // is answered. If there are too many, answers `reply` with RESOURCE_EXHAUSTED
  // and returns nothing.
  template <typename T>
  std::optional<Reply<T>> Admit(Reply<T> reply) {
    Place place = TakePlace();
    if (place == nullptr) {
      reply(Refusal());
      return std::nullopt;
    }
    return Reply<T>([reply = std::move(reply), place = std::move(place)](
                        absl::StatusOr<T> answer) mutable {
      place.reset();
      reply(std::move(answer));
    });
  }

 private:
  // Gives up a place. Shares the count, since a Reply may outlive the limit.
  struct GiveUp {
    std::shared_ptr<std::atomic<int>> waiting;
    void operator()(const RequestLimit* /*taken*/) const { --*waiting; }
  };
  using Place = std::unique_ptr<const RequestLimit, GiveUp>;

  Place TakePlace() const;
  absl::Status Refusal() const;

  const int most_;
  const std::shared_ptr<std::atomic<int>> waiting_ =
      std::make_shared<std::atomic<int>>(0);
};

}  // namespace echod

#endif  // ECHO_SERVER_REQUEST_LIMIT_H_
