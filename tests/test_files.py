"""Files are written whole or not at all, never over a user's, with the permissions that the umask leaves."""

import os
import subprocess
import sys

import pytest

from minisparse import files
from minisparse.files import UNFINISHED, may_write, replacing, sweep, unfinished_name, writable

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions and signals of POSIX")


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o027, 0o002])
def test_a_file_has_the_permissions_that_the_umask_leaves(tmp_path, umask):
    before = os.umask(umask)
    try:
        for _ in range(2):  # new, and replaced
            with replacing(tmp_path / "a.json") as unfinished:
                unfinished.unlink()
                unfinished.write_text("{}")
                unfinished.chmod(0o600)  # as a library may that writes by itself
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(TypeError), replacing(tmp_path / "a") as unfinished:
        unfinished.write_text(3)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_an_error_of_the_system_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: .*a\.json"), replacing(tmp_path / "a.json"):
        raise OSError(28, "No space left on device")


@posix
def test_what_a_killed_process_left_goes_at_the_next_write_and_what_is_being_written_stays(tmp_path):
    code = (
        "import os, sys, pathlib; from minisparse.files import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as unfinished: os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"]).returncode == -9
    (left,) = tmp_path.glob(f"{UNFINISHED}*")
    folder = tmp_path / left.name.replace(left.suffix, "-folder")
    folder.mkdir()
    (folder / "file").touch()
    (tmp_path / f"{UNFINISHED}x7k2").touch()  # without the number of a process, as older versions wrote
    others = f"{UNFINISHED}{0:08x}-1-x"
    (tmp_path / others).touch()
    with replacing(tmp_path / "b") as mine, replacing(tmp_path / "c") as other:
        assert not left.exists()
        assert not folder.exists()
        assert {path.name for path in tmp_path.glob(f"{UNFINISHED}*")} == {mine.name, other.name, others}
        sweep(tmp_path)
        assert mine.exists()
    assert unfinished_name() in mine.name


def test_what_another_host_left_goes_after_a_day(tmp_path):
    left = tmp_path / f"{UNFINISHED}{0:08x}-1-x"
    left.touch()
    sweep(tmp_path)
    assert left.exists()
    os.utime(left, (1, 1))
    sweep(tmp_path)
    assert not left.exists()


def test_a_folder_that_cannot_be_is_refused_and_nothing_is_made(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        with pytest.raises(NotADirectoryError, match=r"cannot be written: .*file is no folder"):
            writable(place)
    writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


@posix
def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "access", lambda path, mode: str(path) != str(tmp_path))
    with pytest.raises(PermissionError, match="no permission to write in"):
        writable(tmp_path / "a")


def test_a_file_that_is_there_is_replaced_only_if_asked(tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("a", "link"):
        with pytest.raises(ValueError, match="exists; choose another name, or replace it with --force"):
            may_write(tmp_path / name)
        may_write(tmp_path / name, force=True)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        may_write(tmp_path, force=True)
    may_write(tmp_path / "b")


def test_in_a_browser_a_folder_needs_no_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(files.sys, "platform", "emscripten")
    monkeypatch.setitem(sys.modules, "filelock", None)
    with files.alone_in(tmp_path / "a"):
        assert [*tmp_path.rglob("*")] == [tmp_path / "a"]
