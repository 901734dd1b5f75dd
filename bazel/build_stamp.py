#!/usr/bin/env python3
"""Writes the C++ source of a BuildStamp: build_stamp.py STATUS_FILE OUTPUT.

The status file is Bazel's stable-status.txt, with the lines of workspace_status.sh.
"""

import datetime
import pathlib
import re
import sys

SOURCE = """// Written by build_stamp.py.

#include "echo/daemon/build_stamp.h"

namespace echod {{

const BuildStamp kBuildStamp = {{
    .commit = "{commit}",
    .time = "{time}",
    .tags = "{tags}",
}};

}}  // namespace echod
"""


def stamp(status):
    """Returns the fields of a BuildStamp for the text of a status file."""
    values = {}
    for line in status.splitlines():
        key, _, value = line.partition(" ")
        values[key] = value.strip()
    commit = values.get("STABLE_ECHOD_COMMIT", "unknown")
    seconds = values.get("STABLE_ECHOD_COMMIT_TIME", "unknown")
    tags = values.get("STABLE_ECHOD_TAGS", "")
    time = "unknown"
    if seconds != "unknown":
        if not re.fullmatch("[0-9]+", seconds):
            sys.exit(f"SOURCE_DATE_EPOCH is '{seconds}'; write seconds since 1970")
        time = datetime.datetime.fromtimestamp(
            int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"commit": commit, "time": time,
            # Git allows quotes in the names of tags.
            "tags": re.sub(r"[^A-Za-z0-9._+/ -]", "?", tags)}


def main():
    status, output = sys.argv[1:]
    pathlib.Path(output).write_text(
        SOURCE.format(**stamp(pathlib.Path(status).read_text())))


if __name__ == "__main__":
    main()
