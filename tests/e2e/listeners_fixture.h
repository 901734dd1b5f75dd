// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_E2E_LISTENERS_FIXTURE_H_
#define TESTS_E2E_LISTENERS_FIXTURE_H_

#include <grpcpp/client_context.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "echo/base/socket_address.h"
#include "gtest/gtest.h"
#include "tests/e2e/admin_client.h"
#include "tests/support/server_process.h"
#include "tests/support/tcp_client.h"

namespace echod::e2e {

inline admin::v1::CreateListenerRequest Creation(const std::string& id,
                                                 int port = 0) {
  admin::v1::CreateListenerRequest request;
  request.set_listener_id(id);
  request.mutable_listener()->set_address("127.0.0.1");
  request.mutable_listener()->set_port(port);
  return request;
}

inline admin::v1::DeleteListenerRequest Deletion(const std::string& id) {
  admin::v1::DeleteListenerRequest request;
  request.set_name("listeners/" + id);
  return request;
}

// A server whose listeners the test changes.
class ListenersTest : public ::testing::Test {
 protected:
  using Stub = AdminClient::Stub;

  // `changed` gets the listener, if it is not null.
  grpc::Status Create(const admin::v1::CreateListenerRequest& request,
                      admin::v1::Listener* changed = nullptr) {
    return Change(&Stub::CreateListener, request, changed);
  }
  grpc::Status Delete(const admin::v1::DeleteListenerRequest& request,
                      admin::v1::Listener* changed = nullptr) {
    return Change(&Stub::DeleteListener, request, changed);
  }
  grpc::Status Pause(const std::string& id,
                     admin::v1::Listener* changed = nullptr) {
    admin::v1::PauseListenerRequest request;
    request.set_name("listeners/" + id);
    return Change(&Stub::PauseListener, request, changed);
  }
  grpc::Status Resume(const std::string& id,
                      admin::v1::Listener* changed = nullptr) {
    admin::v1::ResumeListenerRequest request;
    request.set_name("listeners/" + id);
    return Change(&Stub::ResumeListener, request, changed);
  }

  std::vector<std::string> Names() {
    admin::v1::ListListenersResponse list;
    admin_.Call(&Stub::ListListeners, admin::v1::ListListenersRequest(), &list);
    std::vector<std::string> names;
    for (const admin::v1::Listener& each : list.listeners())
      names.push_back(each.name());
    return names;
  }

  static std::optional<testing::TcpClient> Connect(
      const admin::v1::Listener& listener) {
    return testing::TcpClient::Connect(*SocketAddress::FromHost(
        listener.address(), static_cast<std::uint16_t>(listener.bound_port())));
  }

  const testing::ServerProcess server_{{"--workers=2"}};
  AdminClient admin_{server_};

 private:
  template <typename Request>
  grpc::Status Change(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                   const Request&,
                                                   admin::v1::Listener*),
                      const Request& request, admin::v1::Listener* changed) {
    admin::v1::Listener ignored;
    return admin_.Call(method, request,
                       changed != nullptr ? changed : &ignored);
  }
};

}  // namespace echod::e2e

#endif  // TESTS_E2E_LISTENERS_FIXTURE_H_
