"""The built site, which MINISPARSE_SITE names: links lead somewhere; no page is too wide, faint or in error."""

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import quote, unquote

import pytest

SITE = Path(os.environ.get("MINISPARSE_SITE", ""))
CHROMIUM = next(filter(None, map(shutil.which, "chromium chromium-browser google-chrome".split())), None)
QUIET = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking".split()
LOOK = Path(__file__).parent / "helpers/look.html"
RECORDER = b"""<script>window.faults = []; console.error = (...said) => faults.push(said.join(" "));
addEventListener("error", event => faults.push(event.message));</script>"""
SECONDS = 300

pytestmark = pytest.mark.skipif("MINISPARSE_SITE" not in os.environ, reason="MINISPARSE_SITE names no built site")


def pages(site):
    """{path in the site: HTML} of its pages, without the source and the browser's notebooks."""
    found = (path for path in sorted(site.rglob("*.html")) if not {"_modules", "_static", "lite"} & set(path.parts))
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in found}


def gone(site):
    """(page, link) of internal links without a target, or without its anchor."""
    known = {}

    def anchors(path):
        if path not in known:
            text = path.read_text(encoding="utf-8") if path.suffix == ".html" else ""
            known[path] = {unescape(own) for own in re.findall(r'\b(?:id|name)="([^"]+)"', text)}
        return known[path]

    for page, text in pages(site).items():
        for link in {unescape(own) for own in re.findall(r'\b(?:href|src)="([^"]*)"', text)}:
            if re.match(r"[a-z]+:|//", link):
                continue
            name, _, anchor = link.partition("#")
            path = (site / page).parent / unquote(name.partition("?")[0]) if name else site / page
            path = path.resolve() / "index.html" if path.is_dir() else path.resolve()
            is_built_elsewhere = (site / "lite").resolve() in path.parents
            there = path.is_file() and (not anchor or path.suffix != ".html" or unquote(anchor) in anchors(path))
            if not there and not is_built_elsewhere:
                yield page, link


def test_a_link_without_a_target_or_anchor_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#x">b</a><a href="b.html#y">b</a><a href="c.html">c</a><a id="z">')
    (tmp_path / "b.html").write_text('<p id="x"></p><a href="a.html#z"></a><a href="https://example.org">e</a>')
    assert sorted(gone(tmp_path)) == [("a.html", "b.html#y"), ("a.html", "c.html")]


def test_internal_links_lead_to_a_page_and_a_place_on_it():
    assert len(pages(SITE)) > 50
    assert list(gone(SITE)) == []


class Looking(SimpleHTTPRequestHandler):
    """The site, with a recorder of errors in every page; /look.html looks at /pages and posts to /seen."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if self.path == "/look.html":
            self.answer(LOOK.read_bytes())
        elif self.path == "/pages":
            self.answer(json.dumps(self.server.pages).encode())
        elif path.suffix == ".html" and path.is_file():
            self.answer(path.read_bytes().replace(b"<head>", b"<head>" + RECORDER, 1))
        else:
            super().do_GET()

    def do_POST(self):
        self.server.seen = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"{}")
        self.server.ended.set()

    def answer(self, content):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def chromium(address, profile):
    command = [CHROMIUM, *QUIET, "--window-size=1400,1000", f"--user-data-dir={profile}", address]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def faults(site, names, profile):
    """{page: what is wrong with it} in Chromium, at both widths and in both themes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Looking, directory=site)) as server:
        server.pages, server.seen, server.ended = names, {}, Event()
        Thread(target=server.serve_forever, daemon=True).start()
        with chromium(f"http://127.0.0.1:{server.server_port}/look.html", profile):
            assert server.ended.wait(SECONDS), "Chromium says nothing"
        server.shutdown()
        return {page: found for page, found in server.seen.items() if found}


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not here: no page was looked at")
def test_what_is_wrong_with_a_page_is_seen(tmp_path):
    faint = '<main><p style="color: #ccc">faint</p></main>'
    for name, body in (("good", "<main><p>text</p></main>"), ("wide", '<div style="width: 2000px">w</div>'),
                       ("faint", faint), ("wrong", "<script>nothing()</script>")):  # fmt: skip
        (tmp_path / f"{name}.html").write_text(f"<!doctype html><html><head></head><body>{body}</body></html>")
    names = [path.name for path in tmp_path.glob("*.html")]
    found = faults(tmp_path, names, tmp_path / "profile")
    assert set(found) == {"wide.html", "faint.html", "wrong.html"}
    assert any("px wide in 390" in own for own in found["wide.html"])
    assert any(own.startswith("contrast 1.6 of P") for own in found["faint.html"])
    assert any("nothing is not defined" in own for own in found["wrong.html"])


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not here: no search was made")
@pytest.mark.parametrize(("words", "page"), [("T_end", "rigl"), ("hard concrete", "l0"), ("rigl_update", "rigl")])
def test_a_search_leads_to_the_page_of_the_method_first(tmp_path, words, page):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Looking, directory=SITE)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/search.html?q={quote(words)}"
        asked = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom", address]
        shown = subprocess.run(asked, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
        server.shutdown()
    found = re.findall(r'<a href="([^"?#]+)[^"]*"', shown.partition('id="search-results"')[2])
    assert found[0] == f"docs/methods/{page}.html"


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not here: no page was looked at")
def test_no_page_is_wider_than_its_window_faint_or_in_error(tmp_path):
    assert faults(SITE, [name for name in pages(SITE) if "/solutions/" not in name], tmp_path) == {}
