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

// Bounds how many requests wait for an answer at a time, and so what memory
// they take. Thread-safe.
class RequestLimit {
 public:
  explicit RequestLimit(int most) : most_(most) {}

  // A Reply to give instead of `reply`, which counts until it is given; or
  // nothing, and `reply` is given as RESOURCE_EXHAUSTED.
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
  // Gives a place up when it dies. Shares the count, since a Reply may outlive
  // the limit.
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
