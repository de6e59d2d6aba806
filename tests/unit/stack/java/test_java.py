import subprocess
from pathlib import Path

import pytest

from stack.java.runtime import VECTOR_MODULE, WRAPPER, find_java

pytestmark = pytest.mark.unit

# Says what a Java says of itself; refuses the incubator module when built without it.
FAKE = """#!/bin/sh
for a do
    if [ "$a" = "{module}" ] && [ {has_module} = no ]; then exit 1; fi
done
if [ "$1" = "print" ]; then shift; echo "$@"; exit 0; fi
cat >&2 <<END
    java.home = {home}
    java.specification.version = {version}
END
"""


def fake_java(folder: Path, version: str, *, has_module: bool = True) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    answer = "yes" if has_module else "no"
    program.write_text(FAKE.format(home=folder, version=version, has_module=answer, module=VECTOR_MODULE))
    program.chmod(0o755)
    return program


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    fake_java(tmp_path / "a", "17")
    on_path = fake_java(tmp_path / "b", "21")
    java = find_java(tmp_path / "wrapper", {"JAVA_HOME": str(tmp_path / "a"), "PATH": str(on_path.parent)})
    assert (java.home, java.version, java.is_bundled) == (tmp_path / "a", 17, False)


def test_an_old_java_is_passed_over_for_a_newer_one(tmp_path: Path) -> None:
    fake_java(tmp_path / "a", "1.8")
    on_path = fake_java(tmp_path / "b", "17")
    java = find_java(tmp_path / "wrapper", {"JAVA_HOME": str(tmp_path / "a"), "PATH": str(on_path.parent)})
    assert java.home == tmp_path / "b"


def test_without_a_system_java_the_one_that_was_brought_along_runs(tmp_path: Path) -> None:
    java = find_java(tmp_path / "wrapper", {"PATH": str(tmp_path)})
    assert java.is_bundled
    assert java.version >= 17
    said = subprocess.run([java.program, VECTOR_MODULE, "-version"], check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr


def test_a_java_without_the_vector_module_gets_a_wrapper_that_drops_the_option_alone(tmp_path: Path) -> None:
    program = fake_java(tmp_path / "a java", "17", has_module=False)
    java = find_java(tmp_path / "wrapper", {"PATH": str(program.parent)})
    assert java.home == tmp_path / "wrapper"
    said = subprocess.run(
        [java.program, "print", VECTOR_MODULE, "-Dx=a b", "", "*"], check=True, capture_output=True, text=True
    )
    assert said.stdout == "-Dx=a b  *\n"


def test_the_wrapper_is_replaced_by_the_runtime_itself_so_that_signals_reach_it(tmp_path: Path) -> None:
    runtime = tmp_path / "java"
    runtime.write_text("#!/bin/sh\necho $$\n")
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(WRAPPER.format(real=runtime, module=VECTOR_MODULE))
    for program in (runtime, wrapper):
        program.chmod(0o755)
    with subprocess.Popen([str(wrapper)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.read()) == process.pid
