"""clang_tidy_aspect: runs clang-tidy on each source file that a target compiles.

Its command line and inputs are those of the compile, so a result is cached, and
becomes stale, as an object file does. Under --config=clang that includes the module
maps of layering_check, whose errors clang-tidy reports, too.
"""

# Bazel 4.2.3 has it as a global only.
_CcInfo = CcInfo  # buildifier: disable=native-cc-info

def _headers(rule):
    """What may be included; compile actions find that out only as they run."""
    direct = [
        file
        for attribute in ["srcs", "hdrs", "textual_hdrs"]
        for file in getattr(rule.files, attribute, [])
    ]
    return depset(direct, transitive = [
        dep[_CcInfo].compilation_context.headers
        for dep in getattr(rule.attr, "deps", [])
        if _CcInfo in dep
    ])

def _clang_tidy_aspect_impl(target, ctx):
    reports = []
    for action in target.actions:
        if action.mnemonic != "CppCompile":
            continue
        sources = [
            file
            for file in action.inputs.to_list()
            if file.is_source and file.extension == "cc" and not file.owner.workspace_name
        ]
        if len(sources) != 1:
            continue  # Generated, or of another repository.
        report = ctx.actions.declare_file("%s.tidy/%s.txt" % (ctx.label.name, sources[0].basename))
        args = ctx.actions.args()
        args.add(ctx.file._config)
        args.add(report)
        args.add(sources[0])
        ctx.actions.run(
            executable = ctx.executable._runner,
            arguments = [args] + action.args,
            inputs = depset([ctx.file._config], transitive = [action.inputs, _headers(ctx.rule)]),
            outputs = [report],
            # clang-tidy is the distribution's, as the compiler is.
            env = {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            mnemonic = "ClangTidy",
            progress_message = "Checking %s with clang-tidy" % sources[0].short_path,
        )
        reports.append(report)
    return [OutputGroupInfo(tidy = depset(reports))]

clang_tidy_aspect = aspect(
    implementation = _clang_tidy_aspect_impl,
    attrs = {
        "_config": attr.label(default = "//:.clang-tidy", allow_single_file = True),
        "_runner": attr.label(
            default = "//bazel:clang_tidy.sh",
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
    },
)
