// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_EVENT_HTTP_SERVER_H_
#define ECHO_EVENT_HTTP_SERVER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "echo/base/unique_fd.h"
#include "echo/event/event_loop.h"
#include "echo/event/libevent.h"
#include "echo/event/timer.h"

struct evconnlistener;

namespace echod {

struct HttpRequest {
  std::string path;    // without the query, such as `/metrics`
  std::string accept;  // the Accept headers, joined by commas; empty: none
};

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpLimits {
  // Further connections replace the one that has kept the server waiting for
  // longest, if that is at least `patience`; otherwise, they wait in the
  // backlog.
  std::size_t max_connections = 64;
  absl::Duration patience = absl::Seconds(1);
  // Request line and headers.
  std::size_t max_header_bytes = 8192;
  // A request's body is read, and ignored.
  std::size_t max_body_bytes = 4096;
  // From the connection, or from the first byte of a later request, until the
  // request is complete.
  absl::Duration request_timeout = absl::Seconds(10);
  // For the client to read an answer.
  absl::Duration send_timeout = absl::Seconds(10);
  // Between requests. More than the usual intervals between scrapes.
  absl::Duration idle_timeout = absl::Seconds(150);
};

// Counters, and a gauge.
struct HttpFigures {
  std::int64_t accepted = 0;
  std::int64_t active = 0;
  std::int64_t timed_out = 0;  // closed for one of the timeouts
  std::int64_t replaced = 0;   // closed to make room for another connection
  std::int64_t accept_errors = 0;
  // By status. Those to malformed requests, which libevent sends, do not count.
  std::map<int, std::int64_t> answers;
};

// An HTTP/1.1 server for GET and HEAD: libevent's evhttp, within limits. evhttp
// accepts any number of connections, spins when accepting fails, and waits
// forever for a client that sends a byte now and then; this class bounds all
// three. See docs/adr/0021. Belongs to the thread of its loop.
class HttpServer {
 public:
  // Returns the answer to a GET or HEAD. May take a while: only this server's
  // loop waits for it.
  using Handler = absl::AnyInvocable<HttpAnswer(const HttpRequest&)>;

  // Accepts on `listening`, a non-blocking listening socket, from now on.
  // `name` is the socket's address, for the log.
  HttpServer(EventLoop& loop, UniqueFd listening, std::string name,
             const HttpLimits& limits, Handler handler);
  // Closes all connections.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Closes the port and the connections that wait for a request. Each of the
  // others is closed after its answer. Calls `on_stopped` when none is left,
  // perhaps immediately.
  void Stop(absl::AnyInvocable<void()> on_stopped);

  const HttpFigures& figures() const { return figures_; }

 private:
  struct Connection;

  static bufferevent* OnConnecting(event_base* base, void* self);
  static void OnSettle(evutil_socket_t fd, short what, void* self);
  static void OnNewcomer(evutil_socket_t fd, short what, void* self);
  static void OnAcceptFailed(evconnlistener* listener, void* http);
  static void OnRequest(evhttp_request* request, void* self);
  static void OnInput(evbuffer* input, const evbuffer_cb_info* info,
                      void* connection);
  static void OnAnswered(evhttp_request* request, void* connection);
  static void OnClosed(evhttp_connection* handle, void* self);

  evconnlistener* listener() {
    return evhttp_bound_socket_get_listener(bound_);
  }
  bool Full() const { return connections_.size() >= limits_.max_connections; }
  void Settle();
  void AcceptOrWait();
  void BackOff(int error);
  // Closes the connection that has kept the server waiting for longest. False
  // if none has for long enough.
  bool MakeRoom();
  HttpAnswer AnswerTo(evhttp_request* request);
  void Answer(evhttp_request* request);

  EventLoop& loop_;
  const std::string name_;
  const HttpLimits limits_;
  Handler handler_;
  HttpFigures figures_;
  std::map<evhttp_connection*, std::unique_ptr<Connection>> connections_;
  // From its creation until Settle; holds a reference of its own.
  bufferevent* connecting_ = nullptr;
  const EventPtr settle_;    // urgent
  const EventPtr newcomer_;  // waits in the backlog; added while full
  Timer retry_;              // accepting
  absl::Duration back_off_ = absl::ZeroDuration();
  absl::AnyInvocable<void()> on_stopped_;  // null: not stopping
  EvhttpPtr http_;
  evhttp_bound_socket* bound_ = nullptr;  // owned by http_; null: stopping
};

}  // namespace echod

#endif  // ECHO_EVENT_HTTP_SERVER_H_
