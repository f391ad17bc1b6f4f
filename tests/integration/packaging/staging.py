"""Installs a build into a staging root, as a package would."""

import os
import pathlib
import shutil
import subprocess

COMPONENTS = ("runtime", "gateway", "sdk")
COMMAND_LIMIT = 240  # seconds; compiling the plugins is the longest


def run(*command, env=None, cwd=None):
    """Runs a command that has to succeed and returns what it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=COMMAND_LIMIT,
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
    )
    if done.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise AssertionError(f"{words}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def fresh(directory):
    directory = pathlib.Path(directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def stage(build, root, components=COMPONENTS):
    """The tree below `root` is what `/` would get. Modes are those of a usual umask."""
    root = fresh(root)
    before = os.umask(0o022)
    try:
        root.chmod(0o755)
        for component in components:
            run(
                *("cmake", "--install", build, "--prefix", "/usr", "--component", component),
                "--strip",
                env={"DESTDIR": str(root)},
            )
    finally:
        os.umask(before)
    return root


def build_plugins(source, root, work, compiler):
    """Builds the plugins of `source` against the SDK in `root`, knowing nothing else of Umbra, and
    returns the shared objects."""
    work = fresh(work)
    run(
        *("cmake", "-S", source, "-B", work, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={compiler}"),
        *(f"-DCMAKE_PREFIX_PATH={root / 'usr'}", "-DCMAKE_BUILD_TYPE=Debug"),
        *(["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []),
    )
    run("cmake", "--build", work, "--parallel", "2")
    return sorted(work.glob("*.so"))


def add_plugin(file, root):
    """Puts a plugin where an administrator would, with the mode that the host asks for."""
    target = root / "usr/lib/umbra/plugins" / file.name
    shutil.copyfile(file, target)
    target.chmod(0o644)
    return target
