"""Runs pkg-config in repository rules."""

def fail_missing(what):
    """Stops the build, and says how to continue."""
    fail("\n\n%s is not installed: run ./setup.sh and build again.\n" % what)

def find_program(rctx, name):
    """Finds a program that setup.sh installs.

    Args:
      rctx: the repository context.
      name: the name of the program.
    Returns:
      its path.
    """
    path = rctx.which(name)
    if path == None:
        fail_missing("The program %s" % name)
    return path

def _dedupe(libs):
    # pkg-config repeats libraries; a linker needs only the last occurrence.
    # Options between --push-state and --pop-state keep their order.
    seen = {}
    kept = []
    for lib in reversed(libs):
        if lib.startswith("-l") or lib == "-pthread":
            if lib in seen:
                continue
            seen[lib] = True
        kept.append(lib)
    return [lib for lib in reversed(kept)]

def module_flags(rctx, modules, static = False, optional = False):
    """Returns the flags for code that uses the pkg-config modules.

    Args:
      rctx: the repository context.
      modules: names of pkg-config modules.
      static: whether to add the flags for static linking.
      optional: whether to return None, not fail, when a module is missing.
    Returns:
      struct(defines, linkopts), lists of strings. Include paths are left out:
      the distributions install into /usr/include.
    """

    # A single call, because old versions of pkg-config take a second per call.
    result = rctx.execute(
        [find_program(rctx, "pkg-config"), "--cflags", "--libs"] +
        (["--static"] if static else []) + modules,
    )
    if result.return_code != 0:
        if optional:
            return None
        fail_missing("The library %s (as pkg-config calls it)" % " or ".join(modules))
    flags = [flag for flag in result.stdout.strip().split(" ") if flag]

    # NOMINMAX affects Windows only.
    return struct(
        defines = [f[2:] for f in flags if f.startswith("-D") and f != "-DNOMINMAX"],
        linkopts = _dedupe([
            f
            for f in flags
            if f.startswith(("-l", "-L", "-Wl,")) or f == "-pthread"
        ]),
    )
