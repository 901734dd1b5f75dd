"""build_stamp: a C++ source file with the commit that is being built.

It depends on the stable part of the workspace status alone (workspace_status.sh).
Bazel runs the action when the commit changes, and what depends on it only if its
output differs. Tests do not depend on it, so they stay cached.
"""

def _build_stamp_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".cc")
    ctx.actions.run(
        executable = ctx.executable._generator,
        arguments = [ctx.info_file.path, out.path],
        inputs = [ctx.info_file],
        outputs = [out],
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin"},
        mnemonic = "BuildStamp",
        progress_message = "Stamping %s" % ctx.label,
    )
    return [DefaultInfo(files = depset([out]))]

build_stamp = rule(
    implementation = _build_stamp_impl,
    attrs = {
        "_generator": attr.label(
            default = "//bazel:build_stamp.py",
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
    },
)
