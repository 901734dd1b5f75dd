"""static_binary: a program without dependencies on the machine it runs on."""

load("@rules_cc//cc:cc_binary.bzl", "cc_binary")

def static_binary(name, deps, linkopts = [], tags = [], **kwargs):
    """A cc_binary, position-independent, fully static and stripped.

    It links the same objects as the ordinary binary.

    Args:
      name: the binary.
      deps: as for cc_binary.
      linkopts: as for cc_binary.
      tags: as for cc_binary.
      **kwargs: passed to cc_binary.
    """
    cc_binary(
        name = name,
        # Bazel prefers gold and its features if installed, but gold cannot link
        # static-pie.
        features = ["-supports_start_end_lib"],
        linkopts = ["-static-pie", "-s", "-fuse-ld=bfd"] + linkopts,
        linkstatic = True,
        # Last, to resolve the mutual dependencies of the libraries before it.
        deps = deps + ["@static_libraries"],
        # The sanitizers' runtimes are shared libraries.
        tags = tags + ["no_sanitizer"],
        **kwargs
    )
