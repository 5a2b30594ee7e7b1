"""Puts Django's own session tests into .framework/, out of the release's source archive on PyPI.

They are not in the installed package. Where they cannot be had, the test that runs them is skipped.
"""

import pathlib
import subprocess
import sys
import tarfile
import tempfile

import django

target = pathlib.Path(__file__).parent / ".framework"
wanted = f"django-{django.__version__}/tests/sessions_tests/"
if not (target / "sessions_tests").exists():
    with tempfile.TemporaryDirectory() as folder:
        options = ["--quiet", "--no-deps", "--no-binary", "Django", "--dest", folder]
        pip = [sys.executable, "-m", "pip", "download", *options, f"Django=={django.__version__}"]
        if subprocess.run(pip).returncode == 0:
            with tarfile.open(next(pathlib.Path(folder).glob("*.tar.gz"))) as archive:
                for member in archive.getmembers():
                    if member.name.startswith(wanted) and member.isfile():
                        file = target / "sessions_tests" / member.name.removeprefix(wanted)
                        file.parent.mkdir(parents=True, exist_ok=True)
                        file.write_bytes(archive.extractfile(member).read())
        else:
            print("SKIPPED Django's own session tests: the source archive cannot be had here")
