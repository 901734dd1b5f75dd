#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packs one static program into an image that `ctr images import` takes."""

import argparse
import hashlib
import io
import json
import pathlib
import platform
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def tar(*entries):
    """Returns a tarball of (name, mode, content)."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, mode, content in entries:
            info = tarfile.TarInfo(name)
            info.mode = mode
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return output.getvalue()


def image(name, program):
    """Returns the archive of an image that runs `program`."""
    layer = tar((program.name, 0o755, program.read_bytes()))
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"},
        "rootfs": {
            "type": "layers",
            "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()],
        },
    }
    manifest = [{"Config": "config.json", "Layers": ["layer.tar"],
                 "RepoTags": [name]}]
    return tar(("layer.tar", 0o644, layer),
               ("config.json", 0o644, json.dumps(config).encode()),
               ("manifest.json", 0o644, json.dumps(manifest).encode()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    flags = parser.parse_args()
    flags.output.write_bytes(image(flags.name, flags.program))


if __name__ == "__main__":
    main()
