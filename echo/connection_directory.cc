#include "echo/connection_directory.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "echo/control_error.h"

namespace echod {

// Main loop only, once the workers have been asked. When a worker ends before
// it answers, its closure dies, the last of them takes the page along, and the
// Reply says so.
struct ConnectionDirectory::PageInProgress {
  PageInProgress(const ConnectionQuery& asked, std::size_t workers,
                 Reply<ConnectionPage> owed)
      : query(asked), missing(workers), reply(std::move(owed)) {}

  void Add(std::vector<ConnectionInfo> part) {
    std::move(part.begin(), part.end(), std::back_inserter(page.connections));
    if (--missing > 0) return;
    std::sort(page.connections.begin(), page.connections.end(),
              [](const ConnectionInfo& a, const ConnectionInfo& b) {
                return a.number < b.number;
              });
    const auto limit = static_cast<std::size_t>(query.limit);
    if (page.connections.size() > limit) {
      page.connections.resize(limit);
      page.more = true;
    }
    reply(std::move(page));
  }

  const ConnectionQuery query;
  std::size_t missing;
  ConnectionPage page;
  Reply<ConnectionPage> reply;
};

void ConnectionDirectory::List(const ConnectionQuery& query,
                               Reply<ConnectionPage> reply) {
  auto page = std::make_shared<PageInProgress>(query, workers_.size(),
                                               std::move(reply));
  for (const auto& worker : workers_) page->page.total += worker->load();
  ConnectionQuery part = query;
  ++part.limit;  // one more tells whether there is a next page
  for (const auto& worker : workers_) {
    worker->Post([this, page, part](Worker& self) {
      self.List(part, [this, page](std::vector<ConnectionInfo> found) {
        main_loop_.Post([page, found = std::move(found)]() mutable {
          page->Add(std::move(found));
        });
      });
    });
  }
}

void ConnectionDirectory::Visit(std::uint64_t number, Visitor visit,
                                Reply<ConnectionInfo> reply) {
  VisitOn(0, number, std::move(visit), std::move(reply));
}

void ConnectionDirectory::VisitOn(std::size_t worker, std::uint64_t number,
                                  Visitor visit, Reply<ConnectionInfo> reply) {
  if (worker == workers_.size()) {
    reply(ControlError(
        absl::StatusCode::kNotFound,
        absl::StrCat("there is no connection ", number, "; it may have ended"),
        {.reason = "CONNECTION_NOT_FOUND", .field = "", .errno_name = ""}));
    return;
  }
  workers_[worker]->Post([this, worker, number, visit = std::move(visit),
                          reply = std::move(reply)](Worker& self) mutable {
    Connection* const connection = self.Find(number);
    if (connection != nullptr) {
      reply(visit(*connection));
    } else {
      VisitOn(worker + 1, number, std::move(visit), std::move(reply));
    }
  });
}

}  // namespace echod
