// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_INTROSPECTION_SERVICE_H_
#define ADMIN_SERVER_INTROSPECTION_SERVICE_H_

#include <grpcpp/generic/async_generic_service.h>

#include <string>
#include <vector>

namespace echod {

// Handles all methods that no other service of the server has: server
// reflection (v1 and v1alpha) and channelz; others are UNIMPLEMENTED. Replaces
// gRPC's plugins, which are synchronous: each RPC occupies a thread, a
// reflection stream for its whole lifetime, and the server hangs if it cannot
// start one. Thread-safe; gRPC calls it on its own threads. Outlives its RPCs.
class IntrospectionService final : public grpc::CallbackGenericService {
 public:
  // `services` are the full names to list, in addition to its own.
  explicit IntrospectionService(std::vector<std::string> services);

  // Called by gRPC, which runs the reactor. The reactor destroys itself.
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  std::vector<std::string> services_;
};

}  // namespace echod

#endif  // ADMIN_SERVER_INTROSPECTION_SERVICE_H_
