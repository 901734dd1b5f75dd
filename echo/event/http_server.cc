// SPDX-License-Identifier: Apache-2.0

#include "echo/event/http_server.h"

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "echo/base/check.h"
#include "echo/base/logging.h"
#include "echo/base/mutex.h"

namespace echod {
namespace {

constexpr absl::Duration kFirstBackOff = absl::Milliseconds(10);
constexpr absl::Duration kLongestBackOff = absl::Seconds(1);

// Every method that evhttp knows, so that OnRequest answers them. evhttp itself
// answers 501 to others.
constexpr ev_uint16_t kEveryMethod =
    EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
    EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
    EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH;

// evhttp's own timeouts, which each byte renews; Connection::deadline comes
// first.
constexpr int kEvhttpTimeoutSeconds = 24 * 3600;

std::string JoinedHeaders(const evkeyvalq* headers, absl::string_view name) {
  std::string joined;
  for (const evkeyval* header = headers->tqh_first; header != nullptr;
       header = header->next.tqe_next) {
    if (evutil_ascii_strcasecmp(header->key, std::string(name).c_str()) != 0) {
      continue;
    }
    absl::StrAppend(&joined, joined.empty() ? "" : ",", header->value);
  }
  return joined;
}

// evhttp passes itself to the listener's error callback, which has no argument
// of its own. Thread-safe; a loop uses only its own servers.
class ServersByEvhttp {
 public:
  static void Add(const evhttp* http, HttpServer* server) {
    MutexLock lock(mutex());
    servers()[http] = server;
  }
  static void Remove(const evhttp* http) {
    MutexLock lock(mutex());
    servers().erase(http);
  }
  static HttpServer* Find(const evhttp* http) {
    MutexLock lock(mutex());
    return servers().at(http);
  }

 private:
  // Never destroyed.
  static Mutex& mutex() {
    static auto* const mutex = new Mutex;
    return *mutex;
  }
  static std::map<const evhttp*, HttpServer*>& servers() {
    static auto* const servers = new std::map<const evhttp*, HttpServer*>;
    return *servers;
  }
};

bool HasBody(const evkeyvalq* headers) {
  return evhttp_find_header(headers, "Content-Length") != nullptr ||
         evhttp_find_header(headers, "Transfer-Encoding") != nullptr;
}

}  // namespace

struct HttpServer::Connection {
  enum class Phase {
    kReceiving,  // a request, of which nothing may have come yet
    kSending,    // an answer
    kIdle,       // between requests
  };

  Connection(HttpServer& http_server, evhttp_connection* its_handle)
      : server(http_server),
        handle(its_handle),
        input(bufferevent_get_input(evhttp_connection_get_bufferevent(handle))),
        on_input(evbuffer_add_cb(input, &HttpServer::OnInput, this)),
        deadline(server.loop_, [this] {
          if (server.on_stopped_ == nullptr) ++server.figures_.timed_out;
          evhttp_connection_free(handle);  // destroys this
        }) {
    Enter(Phase::kReceiving, server.limits_.request_timeout);
  }
  ~Connection() {
    if (on_input != nullptr) evbuffer_remove_cb_entry(input, on_input);
  }

  void Enter(Phase next, absl::Duration timeout) {
    phase = next;
    since = std::chrono::steady_clock::now();
    deadline.Arm(timeout);
  }

  HttpServer& server;
  evhttp_connection* const handle;
  evbuffer* const input;
  evbuffer_cb_entry* const on_input;
  Phase phase = Phase::kReceiving;
  std::chrono::steady_clock::time_point since;  // of the phase
  Timer deadline;
};

HttpServer::HttpServer(EventLoop& loop, UniqueFd listening, std::string name,
                       const HttpLimits& limits, Handler handler)
    : loop_(loop),
      name_(std::move(name)),
      limits_(limits),
      handler_(std::move(handler)),
      settle_(event_new(loop.base(), -1, 0, &HttpServer::OnSettle, this)),
      newcomer_(event_new(loop.base(), listening.get(), EV_READ,
                          &HttpServer::OnNewcomer, this)),
      retry_(loop, [this] { AcceptOrWait(); }),
      http_(evhttp_new(loop.base())) {
  ECHOD_CHECK(settle_ != nullptr && newcomer_ != nullptr && http_ != nullptr);
  event_priority_set(settle_.get(), kUrgentPriority);
  evhttp_set_max_headers_size(
      http_.get(), static_cast<ev_ssize_t>(limits_.max_header_bytes));
  evhttp_set_max_body_size(http_.get(),
                           static_cast<ev_ssize_t>(limits_.max_body_bytes));
  evhttp_set_timeout(http_.get(), kEvhttpTimeoutSeconds);
  evhttp_set_allowed_methods(http_.get(), kEveryMethod);
  evhttp_set_bevcb(http_.get(), &HttpServer::OnConnecting, this);
  evhttp_set_gencb(http_.get(), &HttpServer::OnRequest, this);
  evconnlistener* const listener = evconnlistener_new(
      loop.base(), nullptr, nullptr,
      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED,
      /*backlog=*/0, listening.Release());
  ECHOD_CHECK(listener != nullptr);
  bound_ = evhttp_bind_listener(http_.get(), listener);
  ECHOD_CHECK(bound_ != nullptr);
  ServersByEvhttp::Add(http_.get(), this);
  evconnlistener_set_error_cb(listener, &HttpServer::OnAcceptFailed);
  AcceptOrWait();
}

HttpServer::~HttpServer() {
  Settle();
  ServersByEvhttp::Remove(http_.get());
  event_del(newcomer_.get());
  // While the members that OnClosed uses exist.
  bound_ = nullptr;
  http_.reset();
}

// --- Accepting
// ---------------------------------------------------------------- evhttp
// accepts by itself, and gives no access to a connection before it has a
// complete request. It asks for a bufferevent, however, and Settle finds the
// connection through that. The listener is enabled for one connection at a
// time.

bufferevent* HttpServer::OnConnecting(event_base* base, void* self) {
  auto* const server = static_cast<HttpServer*>(self);
  evconnlistener_disable(server->listener());
  server->connecting_ = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  if (server->connecting_ != nullptr) bufferevent_incref(server->connecting_);
  // Urgent, so that it comes before any event of the connection.
  event_active(server->settle_.get(), EV_READ, 0);
  return server->connecting_;
}

void HttpServer::OnSettle(evutil_socket_t /*fd*/, short /*what*/, void* self) {
  auto* const server = static_cast<HttpServer*>(self);
  server->Settle();
  server->AcceptOrWait();
}

void HttpServer::Settle() {
  bufferevent* const connecting = std::exchange(connecting_, nullptr);
  if (connecting == nullptr) return;
  back_off_ = absl::ZeroDuration();
  bufferevent_event_cb on_event = nullptr;
  void* handle = nullptr;
  bufferevent_getcb(connecting, nullptr, nullptr, &on_event, &handle);
  if (on_event == nullptr) {
    // evhttp has given it up, most likely for want of an epoll watch, and has
    // closed the socket, which the bufferevent would close again.
    bufferevent_setfd(connecting, -1);
    ++figures_.accept_errors;
  } else {
    auto* const connection = static_cast<evhttp_connection*>(handle);
    evhttp_connection_set_closecb(connection, &HttpServer::OnClosed, this);
    connections_[connection] = std::make_unique<Connection>(*this, connection);
    ++figures_.accepted;
    ++figures_.active;
  }
  bufferevent_decref(connecting);
}

void HttpServer::AcceptOrWait() {
  if (bound_ == nullptr || retry_.armed() || connecting_ != nullptr) return;
  if (Full()) {
    if (event_add(newcomer_.get(), nullptr) != 0) BackOff(errno);
  } else if (evconnlistener_enable(listener()) != 0) {
    BackOff(errno);
  }
}

void HttpServer::OnNewcomer(evutil_socket_t /*fd*/, short /*what*/,
                            void* self) {
  auto* const server = static_cast<HttpServer*>(self);
  // OnClosed continues; or the timer, by when one may be replaced.
  if (server->Full() && !server->MakeRoom()) {
    server->retry_.Arm(server->limits_.patience);
  }
}

bool HttpServer::MakeRoom() {
  Connection* longest = nullptr;
  for (const auto& [handle, connection] : connections_) {
    if (connection->phase == Connection::Phase::kSending) continue;
    if (longest == nullptr || connection->since < longest->since) {
      longest = connection.get();
    }
  }
  if (longest == nullptr || std::chrono::steady_clock::now() - longest->since <
                                absl::ToChronoNanoseconds(limits_.patience)) {
    return false;
  }
  ++figures_.replaced;
  evhttp_connection_free(longest->handle);
  return true;
}

void HttpServer::OnAcceptFailed(evconnlistener* /*listener*/, void* http) {
  const int error = errno;
  HttpServer* const server =
      ServersByEvhttp::Find(static_cast<const evhttp*>(http));
  server->BackOff(error);
}

void HttpServer::BackOff(int error) {
  ++figures_.accept_errors;
  if (back_off_ == absl::ZeroDuration()) {
    LogWarning(absl::StrCat("cannot accept on ", name_, ": ",
                            std::strerror(error),
                            "; HTTP connections wait in the backlog, and echod "
                            "will retry"));
  }
  back_off_ = back_off_ == absl::ZeroDuration()
                  ? kFirstBackOff
                  : std::min(2 * back_off_, kLongestBackOff);
  evconnlistener_disable(listener());
  retry_.Arm(back_off_);
}

// --- Requests
// -----------------------------------------------------------------

void HttpServer::OnInput(evbuffer* /*input*/, const evbuffer_cb_info* info,
                         void* connection) {
  auto* const self = static_cast<Connection*>(connection);
  if (info->n_added == 0 || self->phase != Connection::Phase::kIdle) return;
  self->Enter(Connection::Phase::kReceiving,
              self->server.limits_.request_timeout);
}

void HttpServer::OnRequest(evhttp_request* request, void* self) {
  static_cast<HttpServer*>(self)->Answer(request);
}

HttpAnswer HttpServer::AnswerTo(evhttp_request* request) {
  const evhttp_cmd_type method = evhttp_request_get_command(request);
  if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
    evhttp_add_header(evhttp_request_get_output_headers(request), "Allow",
                      "GET, HEAD");
    return {.status = HTTP_BADMETHOD, .body = "use GET or HEAD\n"};
  }
  const evhttp_uri* const uri = evhttp_request_get_evhttp_uri(request);
  const char* const path = uri == nullptr ? nullptr : evhttp_uri_get_path(uri);
  return handler_({.path = path == nullptr ? "" : path,
                   .accept = JoinedHeaders(
                       evhttp_request_get_input_headers(request), "Accept")});
}

void HttpServer::Answer(evhttp_request* request) {
  const HttpAnswer answer = AnswerTo(request);
  ++figures_.answers[answer.status];
  evkeyvalq* const headers = evhttp_request_get_output_headers(request);
  evhttp_add_header(headers, "Content-Type", answer.content_type.c_str());
  evhttp_add_header(headers, "Cache-Control", "no-store");
  evhttp_add_header(headers, "Content-Length",
                    absl::StrCat(answer.body.size()).c_str());
  // Where a request with a body ends may be in dispute, and the rest would be
  // the next request.
  if (on_stopped_ != nullptr ||
      HasBody(evhttp_request_get_input_headers(request))) {
    evhttp_add_header(headers, "Connection", "close");
  }
  const auto found = connections_.find(evhttp_request_get_connection(request));
  ECHOD_CHECK(found != connections_.end());
  found->second->Enter(Connection::Phase::kSending, limits_.send_timeout);
  evhttp_request_set_on_complete_cb(request, &HttpServer::OnAnswered,
                                    found->second.get());
  evbuffer* const body = evbuffer_new();
  ECHOD_CHECK(body != nullptr);
  if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD) {
    evbuffer_add(body, answer.body.data(), answer.body.size());
  }
  evhttp_send_reply(request, answer.status, nullptr, body);
  evbuffer_free(body);
}

void HttpServer::OnAnswered(evhttp_request* /*request*/, void* connection) {
  auto* const self = static_cast<Connection*>(connection);
  const HttpLimits& limits = self->server.limits_;
  if (self->server.on_stopped_ != nullptr) {
    // Soon, since evhttp still uses it.
    self->Enter(Connection::Phase::kIdle, absl::ZeroDuration());
  } else if (evbuffer_get_length(self->input) > 0) {
    self->Enter(Connection::Phase::kReceiving, limits.request_timeout);
  } else {
    self->Enter(Connection::Phase::kIdle, limits.idle_timeout);
  }
}

// --- The end
// ------------------------------------------------------------------

void HttpServer::OnClosed(evhttp_connection* handle, void* self) {
  auto* const server = static_cast<HttpServer*>(self);
  server->connections_.erase(handle);
  --server->figures_.active;
  if (server->bound_ != nullptr) server->retry_.Arm(absl::ZeroDuration());
  if (server->on_stopped_ != nullptr && server->connections_.empty()) {
    server->on_stopped_();
  }
}

void HttpServer::Stop(absl::AnyInvocable<void()> on_stopped) {
  Settle();
  event_del(newcomer_.get());
  evhttp_del_accept_socket(http_.get(), std::exchange(bound_, nullptr));
  retry_.Disarm();
  std::vector<evhttp_connection*> waiting;
  for (const auto& [handle, connection] : connections_) {
    if (connection->phase != Connection::Phase::kSending) {
      waiting.push_back(handle);
    }
  }
  for (evhttp_connection* const handle : waiting) {
    evhttp_connection_free(handle);
  }
  on_stopped_ = std::move(on_stopped);
  if (connections_.empty()) on_stopped_();
}

}  // namespace echod
