#!/usr/bin/env python3
"""Builds the container image of echod with umoci: an OCI layout in a tarball.

The build is reproducible: the image was created when its commit was, every other
timestamp is the epoch, and every owner is numeric.
"""

import argparse
import io
import json
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile

EPOCH = "1970-01-01T00:00:00Z"
USER = "65532:65532"  # nonroot, in etc/passwd
PORTS = ("8080", "9901", "9902")
REPOSITORY = "docker.io/library/"  # what a name without a registry stands for
# The project has no address on the Web. A Software Heritage identifier names the
# source without one: its last part is the commit's hash. When there is an address,
# this is the one place to change.
SOURCE_URL = "swh:1:rev:{commit}"
DOCUMENTS = "usr/share/doc/echod/"
# Where Trivy, Syft and other scanners look for the SBOM of a part of an image.
SBOM = "var/lib/db/sbom/echod.spdx.json"
LABELS = {
    "title": "echod",
    # In the image, since it is nowhere on the Web.
    "documentation": f"file:///{DOCUMENTS}README.md",
    "description": "TCP echo server with a gRPC admin service",
    "licenses": "Apache-2.0",
}
UNKNOWN = "unknown"


def what_it_says(binary):
    """Returns {field: value} of --version, whose first line is "echod 0.1.0"."""
    answer = subprocess.run([os.path.abspath(binary), "--version"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    first, *rest = answer.splitlines()
    says = dict(line.split(": ", 1) for line in rest)
    says["version"] = first.split()[1]
    return says


def annotations(says):
    """https://github.com/opencontainers/image-spec/blob/main/annotations.md"""
    stamped = "date" in says
    fields = {**LABELS, "version": says["version"],
              "revision": says["commit"] if stamped else UNKNOWN}
    # The others have formats, which `unknown` is not in.
    if stamped and says["date"] != UNKNOWN:
        fields["created"] = says["date"]
    if stamped and re.fullmatch("[0-9a-f]{40}", says["commit"]):
        fields["source"] = SOURCE_URL.format(**says)
    return {f"org.opencontainers.image.{name}": value
            for name, value in sorted(fields.items())}


def write_tar(path, entries):
    """Writes (name, mode, content) in order; content None is a directory."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, mode, content in entries:
            info = tarfile.TarInfo(name)  # owner 0:0, no names, time 0
            info.mode = mode
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def read_tar(path):
    """{name: content} of the files in a tarball."""
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}


def root_of(args):
    """{path in the image: content}: the program, its user, and what it is made of."""
    root = {"echod": args.binary.read_bytes()}
    for file in args.etc:
        root[f"etc/{file.name}"] = file.read_bytes()
    for file in args.doc:
        root[f"{DOCUMENTS}{file.name}"] = file.read_bytes()
    root[f"{DOCUMENTS}copyright"] = args.license.read_bytes()
    root[SBOM] = args.sbom.read_bytes()
    root.update(read_tar(args.licenses))
    return root


def write_root(path, root):
    """Writes the only layer."""
    folders = {f"{folder}/" for name in root
               for folder in pathlib.PurePath(name).parents if folder.name}
    write_tar(path, [(name, 0o755 if name in folders or name == "echod" else 0o644,
                      root.get(name)) for name in sorted({*folders, *root})])


def make_layout(umoci, layout, layer, tag, fields):
    def run(*command):
        # An empty environment, so that the result does not depend on it.
        subprocess.run([umoci, *command], check=True, env={})

    image = f"--image={layout}:{tag}"
    # umoci would take the present time.
    created = fields.get("org.opencontainers.image.created", EPOCH)
    run("init", f"--layout={layout}")
    run("new", image)
    run("raw", "add-layer", image, f"--history.created={created}",
        "--history.created_by=//deploy:image", str(layer))
    config = [f"--config.user={USER}", "--config.entrypoint=/echod",
              "--config.workingdir=/", "--config.stopsignal=SIGTERM"]
    config += [f"--config.exposedports={port}/tcp" for port in PORTS]
    for name, value in fields.items():
        config += [f"--config.label={name}={value}",
                   f"--manifest.annotation={name}={value}"]
    run("config", image, "--no-history", f"--created={created}", *config)
    # Blobs left over from intermediate steps.
    run("gc", f"--layout={layout}")


def name_for_containerd(layout, tag):
    """Adds the full image name for `ctr images import`.

    containerd uses the name unchanged, and the kubelet looks up the full name.
    """
    path = layout / "index.json"
    index = json.loads(path.read_text())
    [image] = index["manifests"]
    image["annotations"]["io.containerd.image.name"] = REPOSITORY + tag
    path.write_text(json.dumps(index))


def docker_manifest(layout, tag):
    """The manifest that `docker load` reads instead of index.json."""
    def blob(descriptor):
        return "blobs/" + descriptor["digest"].replace(":", "/")

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / blob(index["manifests"][0])).read_text())
    return json.dumps([{
        "Config": blob(manifest["config"]),
        "RepoTags": [tag],
        "Layers": [blob(layer) for layer in manifest["layers"]],
    }])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, what in (
            ("umoci", "the tool that writes the image"),
            ("binary", "the program"),
            ("license", "its license"),
            ("sbom", "of build_sbom.py"),
            ("licenses", "of build_sbom.py: a tarball"),
            ("root", "output: the files in the image, a tarball"),
            ("output", "output: the image")):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True,
                            help=what)
    parser.add_argument("--etc", type=pathlib.Path, nargs="+", required=True,
                        help="files that go into /etc")
    parser.add_argument("--doc", type=pathlib.Path, nargs="+", required=True,
                        help=f"files that go into /{DOCUMENTS}")
    args = parser.parse_args()

    says = what_it_says(args.binary)
    # The manifests of Kubernetes name the release that the commits lead to.
    tag = f"echod:{says['version'].partition('-')[0]}"
    with tempfile.TemporaryDirectory() as scratch:
        layout = pathlib.Path(scratch, "layout")
        write_root(args.root, root_of(args))
        make_layout(os.path.abspath(args.umoci), layout, args.root, tag,
                    annotations(says))
        name_for_containerd(layout, tag)
        (layout / "manifest.json").write_text(docker_manifest(layout, tag))
        files = sorted(layout.rglob("*"))
        write_tar(args.output,
                  [(f"{file.relative_to(layout)}/", 0o755, None)
                   if file.is_dir() else
                   (str(file.relative_to(layout)), 0o644, file.read_bytes())
                   for file in files])


if __name__ == "__main__":
    main()
