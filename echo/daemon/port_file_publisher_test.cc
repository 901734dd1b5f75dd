// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/port_file_publisher.h"

#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/support/eventually.h"

namespace echod {
namespace {

using testing::Eventually;

BoundAddresses At(const std::string& address) {
  return {.listeners = {{"default", address}}, .admin = ""};
}

// Stands in for a file; its writes can be made to hang or to fail.
class FakeFile {
 public:
  PortFilePublisher::Write Writer() {
    return [this](const BoundAddresses& bound) {
      std::shared_future<void> hanging;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++tries_;
        hanging = hanging_;
      }
      if (hanging.valid()) hanging.wait();
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!writable_) return absl::UnavailableError("the disk is full");
      written_.push_back(bound.listeners.at("default"));
      return absl::OkStatus();
    };
  }

  void HangUntil(std::shared_future<void> when) {
    const std::lock_guard<std::mutex> lock(mutex_);
    hanging_ = std::move(when);
  }
  void SetWritable(bool writable) {
    const std::lock_guard<std::mutex> lock(mutex_);
    writable_ = writable;
  }
  int tries() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return tries_;
  }
  std::vector<std::string> written() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return written_;
  }

 private:
  std::mutex mutex_;
  std::shared_future<void> hanging_;
  bool writable_ = true;
  int tries_ = 0;
  std::vector<std::string> written_;
};

// A hold, and whether all copies of it have been released.
struct Hold {
  std::shared_ptr<const void> owned = std::make_shared<int>();
  std::weak_ptr<const void> seen = owned;

  std::shared_ptr<const void> Give() { return std::move(owned); }
  bool released() const { return seen.expired(); }
};

TEST(PortFilePublisherTest, ADiskThatHangsHoldsUpOnlyWhoWaitsForIt) {
  FakeFile file;
  std::promise<void> recovered;
  file.HangUntil(recovered.get_future().share());
  const auto publisher = *PortFilePublisher::Start(file.Writer());
  Hold first;
  Hold second;
  Hold third;
  publisher->Publish(At("first"), first.Give());
  ASSERT_TRUE(Eventually([&] { return file.tries() == 1; }));
  publisher->Publish(At("second"), second.Give());
  publisher->Publish(At("third"), third.Give());
  EXPECT_TRUE(second.released());  // replaced
  EXPECT_FALSE(first.released());
  EXPECT_FALSE(third.released());
  recovered.set_value();
  EXPECT_TRUE(Eventually([&] { return first.released() && third.released(); }));
  EXPECT_EQ(file.written(), std::vector<std::string>({"first", "third"}));
}

TEST(PortFilePublisherTest, WhatCannotBeWrittenIsTriedAgain) {
  FakeFile file;
  file.SetWritable(false);
  const auto publisher =
      *PortFilePublisher::Start(file.Writer(), absl::Milliseconds(1));
  Hold hold;
  publisher->Publish(At("here"), hold.Give());
  ASSERT_TRUE(Eventually([&] { return file.tries() >= 3; }));
  EXPECT_TRUE(hold.released());
  file.SetWritable(true);
  EXPECT_TRUE(Eventually([&] { return !file.written().empty(); }));
  EXPECT_EQ(file.written(), std::vector<std::string>({"here"}));
}

}  // namespace
}  // namespace echod
