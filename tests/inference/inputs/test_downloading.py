import socket
import threading
import time

import pytest

from vgtoolbox.inference.inputs import downloading
from vgtoolbox.inference.inputs.downloading import download
from vgtoolbox.inference.inputs.images import read_image


@pytest.fixture
def serve():
    """Return a function that serves one answer after another, each a function of a socket."""
    sockets = []

    def serve(*answers):
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def run():
            for answer in answers:
                try:
                    client, _ = server.accept()
                    with client:
                        client.recv(65536)
                        answer(client)
                except OSError:  # the test has ended, or the client has left
                    return

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/a.png"

    yield serve
    for server in sockets:
        server.close()


def redirect(target):
    head = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
    return lambda client: client.sendall(head.encode())


def send(body, head="HTTP/1.1 200 OK\r\n\r\n"):
    return lambda client: client.sendall(head.encode() + body)


def drip(first=b"", piece=b"x"):
    def answer(client):
        client.sendall(first)
        for _ in range(200):
            client.sendall(piece)
            time.sleep(0.05)

    return answer


def test_content_is_returned(serve):
    assert download(serve(send(b"content"))) == b"content"


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"HTTP/1.1 200 OK\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nX: "),
        drip(b"HTTP/1.1 200 OK\r\n\r\n", piece=b""),
        drip(b"", piece=b"H"),
    ],
    ids=["body", "header", "silence", "status"],
)
def test_a_slow_server_ends_at_the_total_time(serve, answer):
    address = serve(answer)
    started = time.monotonic()
    with pytest.raises(
        ValueError, match=r"a\.png could not be downloaded: it took more than 0.5 s"
    ):
        download(address, seconds=0.5)
    assert time.monotonic() - started < 3
    for _ in range(50):
        if all(thread.name != "download" for thread in threading.enumerate()):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the thread of the download did not end")


def test_redirections_are_followed(serve):
    address = serve(send(b"content"))
    assert download(serve(redirect(address))) == b"content"


@pytest.mark.parametrize(
    "target", ["file:///etc/hostname", "ftp://127.0.0.1/a.png", "data:image/png;base64,AAAA"]
)
def test_redirections_to_other_schemes_are_refused(serve, target):
    with pytest.raises(
        ValueError, match=r"a\.png could not be downloaded: .*(not http|not allowed)"
    ):
        download(serve(redirect(target)))


def test_endless_redirections_are_refused(serve):
    address = serve(*[redirect(f"/{number}.png") for number in range(20)])
    with pytest.raises(ValueError, match=r"a\.png could not be downloaded: .*redirect"):
        download(address)


def test_size_is_bounded_whatever_the_header_says(serve):
    for head in ("HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"):
        body = bytes(3_000_000)
        if "Length" in head:
            assert download(serve(send(body, head)), max_bytes=1000) == bytes(5)
            continue
        with pytest.raises(ValueError, match=r"a\.png must have at most 1 MiB, got more"):
            download(serve(send(body, head)), max_bytes=2**20)


@pytest.mark.parametrize(
    "answer",
    [
        send(b"", "nonsense\r\n\r\n"),
        send(b"", ""),
        send(b"abc", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
        send(b"", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        send(b"", "HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 500 + "\r\n"),
    ],
    ids=["nonsense", "nothing", "too short", "missing", "many headers"],
)
def test_broken_answers_are_one_kind_of_error(serve, answer):
    with pytest.raises(ValueError, match=r"a\.png could not be downloaded: "):
        download(serve(answer))


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/a.png", "a.png", "data:,x"])
def test_other_addresses_are_not_opened(url):
    with pytest.raises(ValueError, match="must begin with http:// or https://, got"):
        download(url)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_image(url)


def test_malformed_addresses_are_one_kind_of_error():
    for url in ("http://", "http://[::1", "http://127.0.0.1:99999/", "http://a b/\u00e9"):
        with pytest.raises(ValueError, match="could not be downloaded"):
            download(url)


def test_the_default_time_is_finite():
    assert 0 < downloading.DOWNLOAD_SECONDS <= 120
