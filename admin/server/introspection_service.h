// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_SERVER_INTROSPECTION_SERVICE_H_
#define ADMIN_SERVER_INTROSPECTION_SERVICE_H_

#include <grpcpp/generic/async_generic_service.h>

#include <string>
#include <vector>

namespace echod {

// Server reflection (v1 and v1alpha) and channelz, for every method that no
// other service of the server has; the rest is UNIMPLEMENTED. gRPC's own
// plugins for them are synchronous: each RPC, and a reflection stream for as
// long as its client lives, holds a thread, and the server hangs when it cannot
// have one. Thread-safe; gRPC calls it on its own threads. Outlives its RPCs.
class IntrospectionService final : public grpc::CallbackGenericService {
 public:
  // Tells clients of these services, by their full names, and of its own.
  explicit IntrospectionService(std::vector<std::string> services);

  // For gRPC, which runs the reactor; it destroys itself.
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  std::vector<std::string> services_;
};

}  // namespace echod

#endif  // ADMIN_SERVER_INTROSPECTION_SERVICE_H_
