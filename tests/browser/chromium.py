"""Headless Chromium on a built site: notebooks run from top to bottom, and whatever is asked of another origin."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

NAMES = "chromium chromium-browser google-chrome google-chrome-stable".split()
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()  # Chromium's own requests, which are none of the page's
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # and no other host can be reached

WIDGET = "window.jupyterapp?.shell?.currentWidget"
READY = f"(() => {{ const s = {WIDGET}?.sessionContext; return s?.isReady && s.session?.kernel?.status === 'idle' }})()"
SHOWN = f"{WIDGET}?.content?.model?.cells?.length > 1"
RUN = """() => {
  for (const cell of window.jupyterapp.shell.currentWidget.content.model.cells)
    if (cell.type === "code") cell.clearExecution();
  window.ended = false;
  window.jupyterapp.commands.execute("notebook:run-all-cells").finally(() => { window.ended = true; });
}"""
STATE = """() => {
  const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells].filter(cell => cell.type === "code");
  return [window.ended, cells.some(cell => cell.outputs.length > 0)];
}"""
NOTEBOOK = f"() => {WIDGET}.content.model.toJSON()"


def found() -> str | None:
    """The path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Counting(SimpleHTTPRequestHandler):
    """Files as any static host serves them; how many bytes it sent."""

    sent = 0

    def log_message(self, *_: object) -> None:
        pass

    def copyfile(self, source, outputfile) -> None:
        content = source.read()
        Counting.sent += len(content)
        outputfile.write(content)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of the folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, directory=folder)) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Tab:
    """A tab with a profile of its own, so that nothing is cached; `foreign` has every request to another origin."""

    def __init__(self, context, origin: str):
        self.origin, self.foreign = origin, []
        context.on("request", self._see)
        self.page = context.new_page()

    def _see(self, request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.foreign.append(request.url)

    def open(self, notebook: str, seconds: float = 180) -> float:
        """Open a notebook by its path in the site and wait for its kernel; the seconds that it took."""
        began = time.perf_counter()
        self.page.goto(f"{self.origin}notebooks/index.html?path=notebooks/{notebook}")
        for what in (SHOWN, READY):
            self.page.wait_for_function(what, timeout=1000 * seconds)
        return time.perf_counter() - began

    def run_all(self, seconds: float) -> tuple[float, float]:
        """Run every cell, as Run > Run All Cells does: the seconds to the first output, and to the end.

        TimeoutError after `seconds`.
        """
        began, first = time.perf_counter(), None
        self.page.evaluate(RUN)
        while True:
            ended, output = self.page.evaluate(STATE)
            now = time.perf_counter() - began
            first = now if output and first is None else first
            if ended:
                return first or now, now
            if now > seconds:
                raise TimeoutError(f"still running after {seconds} s")
            time.sleep(0.2)

    def write(self, cell: int, source: str) -> None:
        """Put this into a cell, as typing would."""
        put = f"([number, text]) => {WIDGET}.content.model.cells.get(number).sharedModel.setSource(text)"
        self.page.evaluate(put, [cell, source])

    def notebook(self) -> dict:
        """The notebook as it is on the page."""
        return self.page.evaluate(NOTEBOOK)

    def errors(self) -> list[str]:
        """What went wrong in which cell; a cell that did not run is one of them."""
        wrong = []
        for number, cell in enumerate(self.notebook()["cells"]):
            for output in cell.get("outputs", []):
                if output["output_type"] == "error":
                    wrong.append(f"cell {number}: {output['ename']}: {output['evalue']}")
                elif output.get("name") == "stderr":
                    wrong.append(f"cell {number} on stderr: {output['text']}")
            if cell["cell_type"] == "code" and cell["execution_count"] is None:
                wrong.append(f"cell {number} did not run")
        return wrong


@contextmanager
def tab(playwright, origin: str, width: int = 1280, height: int = 900, **how: object) -> Iterator[Tab]:
    """A tab of a new Chromium."""
    browser = playwright.chromium.launch(executable_path=found(), args=[*QUIET, ALONE])
    try:
        yield Tab(browser.new_context(viewport={"width": width, "height": height}, **how), origin)
    finally:
        browser.close()
