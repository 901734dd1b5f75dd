// SPDX-License-Identifier: Apache-2.0

#include "admin/service/answer_turns.h"

#include <algorithm>
#include <utility>

namespace echod {

bool AnswerTurns::HasTurn(const std::string& client) const {
  if (under_way_ >= most_) return false;
  const auto found = by_client_.find(client);
  return found == by_client_.end() || found->second < most_of_client_;
}

AnswerTurns::Ticket AnswerTurns::Begin(const std::string& client, Start start) {
  Ticket ticket = 0;
  {
    MutexLock lock(mutex_);
    ticket = ++last_ticket_;
    if (!HasTurn(client)) {
      waiting_.push_back(
          {.ticket = ticket, .client = client, .start = std::move(start)});
      return ticket;
    }
    ++under_way_;
    ++by_client_[client];
  }
  start();
  return ticket;
}

bool AnswerTurns::Cancel(Ticket ticket) {
  std::list<Waiting> cancelled;  // destroyed outside of the lock
  MutexLock lock(mutex_);
  const auto found = std::find_if(
      waiting_.begin(), waiting_.end(),
      [ticket](const Waiting& each) { return each.ticket == ticket; });
  if (found == waiting_.end()) return false;
  cancelled.splice(cancelled.end(), waiting_, found);
  return true;
}

void AnswerTurns::End(const std::string& client) {
  std::list<Waiting> next;
  {
    MutexLock lock(mutex_);
    --under_way_;
    if (const auto found = by_client_.find(client); --found->second == 0) {
      by_client_.erase(found);
    }
    // One that ends makes room for one.
    auto first = waiting_.begin();
    while (first != waiting_.end() && !HasTurn(first->client)) ++first;
    if (first == waiting_.end()) return;
    ++under_way_;
    ++by_client_[first->client];
    next.splice(next.end(), waiting_, first);
  }
  next.front().start();
}

}  // namespace echod
