import io
import os

import pytest

from vgtoolbox.webui import uploads
from vgtoolbox.webui.uploads import UploadFolder, UploadLimits


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path, clock):
    root = tmp_path / "files"
    root.mkdir()
    (tmp_path / "secret").write_text("x")
    return UploadFolder(root, limits=UploadLimits(bytes=1000, least_bytes=100), clock=clock)


def store(folder, name="a.jpg", size=1, address="1.2.3.4"):
    return folder.store(io.BytesIO(b"x" * size), name, address)


def test_public_names_hide_the_folder_and_lead_back(folder):
    name = store(folder, size=7)
    assert str(folder.root) not in name
    assert folder.path(name).read_bytes() == b"x" * 7


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\x.png", "x.png"),
        ("..", "image"),
        ("", "image"),
        ("a\0b\nc.png", "a_b_c.png"),
        ("größe 1.png", "größe 1.png"),
        ("\ud800.png", "_.png"),
        (".hidden", "hidden"),
        ("x" * 5000 + ".jpg", "x" * 56 + ".jpg"),
    ],
)
def test_names_of_visitors_are_made_safe(folder, given, kept):
    path = folder.path(store(folder, given))
    assert path.name == kept
    assert path.parent.parent == folder.root


@pytest.mark.parametrize(
    "name",
    [
        *[
            "/etc/passwd",
            "/files/../secret",
            "/files/x/../../secret",
            "/files",
            "/files/",
            "files/x",
        ],
        *[
            "",
            "http://evil.example/x",
            "file:///etc/passwd",
            "/files/a\0",
            "\\files\\x",
            "//files/x",
        ],
        *[None, 5, ["/files/x"], {}, True, "/files/" + "x" * 5000],
    ],
)
def test_other_names_lead_nowhere(folder, name):
    store(folder)
    assert folder.path(name) is None


def test_links_out_of_the_folder_lead_nowhere(folder):
    (folder.root / "link").symlink_to(folder.root.parent / "secret")
    assert folder.path("/files/link") is None


def test_the_oldest_uploads_of_the_heaviest_address_are_removed_first(folder):
    honest = store(folder, size=200, address="honest")
    first = store(folder, size=400, address="hostile")
    second = store(folder, size=300, address="hostile")
    assert all(map(folder.path, (honest, first, second)))
    third = store(folder, size=300, address="hostile")
    assert folder.path(first) is None
    assert all(map(folder.path, (honest, second, third)))


def test_many_tiny_uploads_are_bounded(folder):
    honest = store(folder, size=500, address="honest")
    names = [store(folder, size=0, address="hostile") for _ in range(50)]
    assert [name for name in names if folder.path(name)] == names[-5:]
    assert folder.path(honest)


def test_sweep_removes_old_files_also_those_of_gradio(folder, clock):
    old = store(folder)
    (folder.root / "of_gradio").mkdir()
    for path in folder.root.iterdir():
        os.utime(path, (clock.now, clock.now))
    clock.now += 3000
    new = store(folder)
    os.utime(folder.path(new).parent, (clock.now, clock.now))
    clock.now += 1000
    folder.sweep()
    assert folder.path(old) is None
    assert folder.path(new) is not None
    assert len(list(folder.root.iterdir())) == 1


def test_sweep_bounds_the_answers(folder, clock, monkeypatch):
    upload = store(folder, size=900)
    for number in range(5):
        answer = folder.root / f"answer{number}"
        answer.mkdir()
        (answer / "grounding.png").write_bytes(b"x" * 300)
        os.utime(answer, (clock.now + number, clock.now + number))
    monkeypatch.setattr(uploads, "_LEAST_BYTES", 1)
    folder.sweep()
    left = sorted(path.name for path in folder.root.glob("answer*"))
    assert len(left) < 4
    assert left == [f"answer{number}" for number in range(5)][-len(left) :]
    assert folder.path(upload) is not None


def test_sweep_bounds_the_number_of_answers(folder, monkeypatch):
    monkeypatch.setattr(uploads, "_LEAST_BYTES", 100)
    for number in range(50):
        (folder.root / str(number)).touch()
        os.utime(folder.root / str(number), (1000, 1000))
    folder.sweep()
    assert len(list(folder.root.iterdir())) == 10


def test_sweep_keeps_files_of_the_start(tmp_path, clock):
    example = tmp_path / "example.jpg"
    example.touch()
    os.utime(example, (0, 0))
    folder = UploadFolder(tmp_path, clock=clock)
    clock.now += 10_000
    folder.sweep()
    assert folder.path("/files/example.jpg") == example
