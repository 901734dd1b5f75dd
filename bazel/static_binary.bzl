"""static_binary: a program that needs nothing of the machine it runs on."""

load("@rules_cc//cc:cc_binary.bzl", "cc_binary")

def static_binary(name, deps, linkopts = [], tags = [], **kwargs):
    """A cc_binary, position-independent, fully static and stripped.

    It links the same objects as the ordinary binary does.

    Args:
      name: the binary.
      deps: as for cc_binary.
      linkopts: as for cc_binary.
      tags: as for cc_binary.
      **kwargs: passed to cc_binary.
    """
    cc_binary(
        name = name,
        # Where gold is installed Bazel prefers it, and uses what only gold has;
        # but gold cannot link static-pie.
        features = ["-supports_start_end_lib"],
        linkopts = ["-static-pie", "-s", "-fuse-ld=bfd"] + linkopts,
        linkstatic = True,
        # Last, to resolve what the libraries before it need of one another.
        deps = deps + ["@static_libraries"],
        # The sanitizers' runtimes are shared libraries.
        tags = tags + ["no_sanitizer"],
        **kwargs
    )
