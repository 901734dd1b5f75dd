"""The rooms of the source tree, and which other rooms each may use.

The macros in cc.bzl derive every library's visibility from this table, and
.ci/check_layering checks the includes against it. docs/architecture.md describes
the contents of each room.
"""

ROOMS = {
    # The contract between the admin plane and its clients: //proto/echod/admin/v1.
    "proto": [],
    # Data plane.
    "echo/base": [],
    "echo/control": ["echo/base"],
    "echo/config": ["echo/base", "echo/control"],
    "echo/filter": ["echo/base", "echo/control"],
    "echo/event": ["echo/base"],
    "echo/net": ["echo/base", "echo/control", "echo/event"],
    "echo/protocol": ["echo/base", "echo/control"],
    "echo/session": ["echo/base", "echo/control", "echo/event", "echo/net", "echo/protocol"],
    "echo/server": ["echo/base", "echo/control", "echo/event", "echo/net", "echo/session"],
    # Admin plane.
    "admin/transport": ["echo/base", "echo/control", "echo/event", "echo/net"],
    "admin/http": ["admin/transport", "echo/base", "echo/control", "echo/event", "echo/net"],
    "admin/service": ["admin/transport", "echo/base", "echo/control", "echo/filter", "proto"],
    "admin/client": ["echo/base"],
    "admin/server": ["admin/service", "admin/transport", "echo/base", "echo/control", "proto"],
    # The composition root.
    "echo/daemon": ["admin/client", "admin/http", "admin/server", "admin/service", "echo/base", "echo/config", "echo/control", "echo/event", "echo/net", "echo/server"],
    # Fakes and test servers, for tests only.
    "echo/testing": ["echo/base", "echo/control", "echo/event", "echo/net", "echo/server", "echo/session"],
    "admin/testing": ["admin/server", "admin/transport", "echo/base", "echo/control", "proto"],
    # Tests of the whole program, and tools.
    "tests/support": ["echo/base"],
    "tests/e2e": ["admin/testing", "admin/transport", "echo/base", "proto", "tests/support"],
    "tests/fault": ["echo/base", "proto", "tests/e2e", "tests/support"],
    "tests/load": ["echo/base", "tests/support"],
    "tests/bench": ["echo/base", "echo/daemon", "echo/net", "echo/protocol", "proto", "tests/load", "tests/support"],
}

# Rooms that the tests of any room may use.
TEST_ROOMS = ["admin/testing", "echo/testing", "tests/support"]

def room_visibility(room):
    """Returns the packages that may use a room's libraries.

    Args:
      room: the package, such as "echo/net".

    Returns:
      A list for the attribute `visibility`.
    """
    if room not in ROOMS:
        fail("//%s is not a room: add it to ROOMS in bazel/rooms.bzl" % room)
    return [
        "//%s:__pkg__" % other
        for other, uses in ROOMS.items()
        if room in uses or room in TEST_ROOMS
    ]
