"""What is installed is complete: the four packages, their types, and the bundled scenarios."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder), "."]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_holds_what_the_packages_hold(wheel):
    packed = set(ZipFile(wheel).namelist())
    for package in ("p2pfl", "actors", "graphs", "scenarios"):
        wanted = {
            str(path.relative_to(ROOT))
            for path in (ROOT / package).rglob("*")
            if path.suffix in (".py", ".yaml", ".txt", ".typed", ".html", ".css", ".js")
        }
        assert wanted
        assert wanted <= packed
    assert not [name for name in packed if name.startswith("tests")]


def test_it_runs_from_the_wheel_alone(wheel, tmp_path):
    """From what the wheel holds, in another folder, and not from this checkout."""
    installed = tmp_path / "installed"
    ZipFile(wheel).extractall(installed)
    code = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        "import scenarios\n"
        f"assert scenarios.__file__.startswith({str(installed)!r}), scenarios.__file__\n"
        "from scenarios.cli import main\n"
        "sys.exit(main(['check', 'quickstart']))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "dominated: 2 of 8 benign peers" in done.stdout
