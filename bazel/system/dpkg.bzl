"""The database of installed packages, as a repository."""

def _dpkg_repository_impl(rctx):
    # What reads the database depends on this file, which every change of the
    # database changes. It is empty where there is no dpkg.
    status = rctx.path("/var/lib/dpkg/status")
    if status.exists:
        rctx.symlink(status, "status")
    else:
        rctx.file("status")
    rctx.file("BUILD.bazel", "exports_files([\"status\"])\n")

dpkg_repository = repository_rule(
    implementation = _dpkg_repository_impl,
    configure = True,
    environ = ["ECHOD_SYSTEM_LIBRARIES"],
)
