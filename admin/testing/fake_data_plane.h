// SPDX-License-Identifier: Apache-2.0

#ifndef ADMIN_TESTING_FAKE_DATA_PLANE_H_
#define ADMIN_TESTING_FAKE_DATA_PLANE_H_

#include "admin/testing/fake_connection_control.h"
#include "admin/testing/fake_listener_control.h"
#include "admin/testing/fake_server_control.h"
#include "echo/control/data_plane.h"

namespace echod {

// A data plane that does not exist: its three interfaces as fakes.
struct FakeDataPlane {
  FakeListenerControl listeners;
  FakeConnectionControl connections;
  FakeServerControl server;

  DataPlane AsDataPlane() {
    return {
        .listeners = listeners, .connections = connections, .server = server};
  }
};

}  // namespace echod

#endif  // ADMIN_TESTING_FAKE_DATA_PLANE_H_
