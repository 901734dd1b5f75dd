#ifndef ECHO_CONNECTION_DIRECTORY_H_
#define ECHO_CONNECTION_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "echo/event/event_loop.h"
#include "echo/reply.h"
#include "echo/server_control.h"
#include "echo/worker.h"

namespace echod {

// Finds connections wherever they live: asks the workers, and puts their
// answers together. No table is shared, so nothing here can hold a worker up
// for longer than one of its own batches. Thread-safe.
class ConnectionDirectory {
 public:
  // Pages are put together on `main_loop`, where that is in nobody's way. Both
  // outlive the directory; the vector does not change.
  ConnectionDirectory(EventLoop& main_loop,
                      const std::vector<std::unique_ptr<Worker>>& workers)
      : main_loop_(main_loop), workers_(workers) {}

  void List(const ConnectionQuery& query, Reply<ConnectionPage> reply);

  // Calls `visit` with the connection, on its worker, and answers with what it
  // returns; NOT_FOUND when there is no such connection.
  using Visitor = std::function<ConnectionInfo(Connection&)>;
  void Visit(std::uint64_t number, Visitor visit, Reply<ConnectionInfo> reply);

 private:
  struct PageInProgress;

  void VisitOn(std::size_t worker, std::uint64_t number, Visitor visit,
               Reply<ConnectionInfo> reply);

  EventLoop& main_loop_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
};

}  // namespace echod

#endif  // ECHO_CONNECTION_DIRECTORY_H_
