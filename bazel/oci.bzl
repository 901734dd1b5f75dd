"""The tool that makes container images, as a repository."""

load("//bazel/system:pkg_config.bzl", "find_program")

def _umoci_repository_impl(rctx):
    rctx.symlink(find_program(rctx, "umoci"), "umoci")
    rctx.file("BUILD.bazel", "exports_files([\"umoci\"])\n")

umoci_repository = repository_rule(
    implementation = _umoci_repository_impl,
    configure = True,
    environ = ["ECHOD_SYSTEM_LIBRARIES"],
)
