// SPDX-License-Identifier: Apache-2.0

#include "admin/service/admin_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/test/default_reactor_test_peer.h>

#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "admin/service/answer_thread.h"
#include "admin/testing/fake_data_plane.h"
#include "admin/transport/admin_counters.h"
#include "echo/control/connection_info.h"
#include "echo/control/reply.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

// This thread stands for a loop: it gives the data plane's answers.
class AdminServiceTest : public ::testing::Test {
 protected:
  AdminServiceTest() {
    data_plane_.connections.hold_replies = true;
    answers_->Post([this] {
      answer_thread_ = std::this_thread::get_id();
      begun_.set_value();
    });
    begun_.get_future().wait();
  }

  FakeDataPlane data_plane_;
  AdminCounters counters_;
  const std::unique_ptr<AnswerThread> answers_ = *AnswerThread::Start();
  AdminService service_{data_plane_.AsDataPlane(), counters_, *answers_,
                        ServerDescription{}, absl::Seconds(1)};
  std::promise<void> begun_;
  std::thread::id answer_thread_;
};

TEST_F(AdminServiceTest, ALoopConvertsAndFinishesNothing) {
  grpc::CallbackServerContext context;
  std::promise<std::thread::id> finished;
  const grpc::testing::DefaultReactorTestPeer peer(
      &context, [&](const grpc::Status& /*status*/) {
        finished.set_value(std::this_thread::get_id());
      });
  admin::v1::GetConnectionRequest request;
  request.set_name("connections/7");
  admin::v1::Connection response;
  service_.GetConnection(&context, &request, &response);

  // Until this is over, nothing is done that is not done right here.
  std::promise<void> go_on;
  answers_->Post([waiting = go_on.get_future()]() mutable { waiting.wait(); });
  std::vector<Reply<ConnectionInfo>> replies =
      data_plane_.connections.TakeHeldReplies();
  ASSERT_EQ(replies.size(), 1u);
  replies.front()(ConnectionInfo{.number = 7});
  EXPECT_EQ(response.name(), "");
  EXPECT_FALSE(peer.test_status_set());

  go_on.set_value();
  EXPECT_EQ(finished.get_future().get(), answer_thread_);
  answers_->Stop();
  EXPECT_EQ(response.name(), "connections/7");
  EXPECT_TRUE(peer.test_status().ok());
}

// A loop ends with the closure in its queue.
TEST_F(AdminServiceTest, AReplyThatDiesOnALoopIsFinishedElsewhere) {
  grpc::CallbackServerContext context;
  std::promise<std::thread::id> finished;
  const grpc::testing::DefaultReactorTestPeer peer(
      &context, [&](const grpc::Status& /*status*/) {
        finished.set_value(std::this_thread::get_id());
      });
  admin::v1::GetConnectionRequest request;
  request.set_name("connections/7");
  admin::v1::Connection response;
  service_.GetConnection(&context, &request, &response);
  data_plane_.connections.TakeHeldReplies().clear();
  EXPECT_EQ(finished.get_future().get(), answer_thread_);
  answers_->Stop();
  EXPECT_EQ(peer.test_status().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace echod
