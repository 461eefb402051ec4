"""A deck of slides for each lecture plan of notebooks/README.md: one HTML file each, complete in itself.

Cells are rendered by nbconvert. A slide begins at each heading; the code of figures is left out.
"""

import base64
import re
from collections.abc import Iterator
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

COURSE = Path(__file__).parents[1] / "notebooks"
FIGURE = re.compile(r"\]\((\.\./figures/[\w.]+)\)")
FILE = re.compile(
    r"(?<!!)\[([^\]]*)\]\((?!https?:|data:|#|\.\./notebooks/)[^)]*\)"
)  # a link to a file of the repository
HEADING = re.compile(r"^#{1,3} ", re.MULTILINE)
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)
TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".gif": "image/gif"}
LAST = "Where to go on"  # a section of every notebook that is no slide

PLANS: dict[str, tuple[str, list[tuple[str, str]]]] = {  # file: (title, [(notebook, section, or all if empty)])
    "lecture": ("A lecture, 90 minutes", [
        ("04", "Why prune"), ("09", "The idea"), ("03", "Rank and threshold"), ("03", "Ranks need a rule for ties"),
        ("09", "Eight weights by hand"), ("09", "One layer: the gradient of absent weights"), ("09", "Exercises"),
        ("10", "The loop"), ("10", "All of them, three seeds"), ("11", "What is not true"),
        ("10", "A question you can answer now"),
    ]),
    "monday": ("A week: Monday", [("01", ""), ("02", "")]),
    "tuesday": ("A week: Tuesday", [("03", ""), ("04", "")]),
    "wednesday": ("A week: Wednesday", [("07", ""), ("09", "")]),
    "thursday": ("A week: Thursday", [("10", ""), ("11", "")]),
    "friday": ("A week: Friday", [("12", "")]),
}  # fmt: skip

STYLE = """
:root { color-scheme: light dark }
body { margin: 0; font: clamp(16px, 2.2vmin + 4px, 26px)/1.45 system-ui, sans-serif }
main { height: 100vh; overflow-y: scroll; scroll-snap-type: y proximity }
section { min-height: 100vh; box-sizing: border-box; padding: 4vh 7vw; scroll-snap-align: start }
section + section { border-top: 1px solid #8886 }
section.title { display: flex; flex-direction: column; justify-content: center }
pre { font-size: .8em; overflow-x: auto; line-height: 1.35; padding: .4em .8em; background: #8881 }
img, svg { max-width: 100%; max-height: 78vh; background: white }
table { border-collapse: collapse } td, th { padding: .1em .7em; border-bottom: 1px solid #8886 }
.jp-InputPrompt, .jp-OutputPrompt, .anchor-link, .prompt { display: none }
@media print { main { height: auto; overflow: visible } section { break-after: page; min-height: 0 } }
"""
SCRIPT = """
const main = document.querySelector("main"), slides = [...main.children]
addEventListener("keydown", event => {
  const step = {ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1}[event.key]
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return
  const next = step > 0 ? slides.find(s => s.offsetTop > main.scrollTop + 5)
                        : slides.findLast(s => s.offsetTop < main.scrollTop - 5)
  if (next) { event.preventDefault(); next.scrollIntoView() }
})
"""


def links() -> str:
    """Where the decks are, as Markdown for a page in docs/."""
    return ", ".join(f'<a href="../slides/{name}.html">{title}</a>' for name, (title, _) in PLANS.items()) + "."


def write(folder: Path) -> None:
    """All decks, as `folder`/NAME.html."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PLANS:
        (folder / f"{name}.html").write_text(deck(name), encoding="utf-8")


def deck(name: str) -> str:
    """The deck of a plan, as HTML. ValueError for a section that its notebook does not have."""
    title, parts = PLANS[name]
    slides = "".join(f"<section>\n{slide}</section>\n" for part in parts for slide in _slides(*part))
    colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{colours}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"
        f'</style>\n</head>\n<body>\n<main tabindex="0">\n<section class="title"><h1>{escape(title)}</h1>\n'
        f"<p>minisparse. Arrow keys move.</p></section>\n{slides}</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _slides(number: str, section: str) -> Iterator[str]:
    """The slides of a notebook, or of one of its sections."""
    found, inside = False, not section
    for slide, cells in _split(number):
        level, title = slide
        if level < 3:
            inside = title == section if section else title != LAST
            found = found or inside
        if inside:
            yield _rendered(cells)
    if not found:
        raise ValueError(f"notebook {number} has no section {section!r}")


@cache
def _split(number: str) -> list[tuple[tuple[int, str], list[nbformat.NotebookNode]]]:
    """The cells of a notebook by slide: ((level, title) of its heading, cells)."""
    (path,) = COURSE.glob(f"{number}_*.ipynb")
    slides: list[tuple[tuple[int, str], list[nbformat.NotebookNode]]] = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "markdown":
            slides[-1][1].append(_shown(cell))
            continue
        starts = [match.start() for match in HEADING.finditer(cell.source)]
        for start, end in pairwise(sorted({0, *starts, len(cell.source)})):
            text = cell.source[start:end]
            if start in starts:
                marks, _, title = text.partition("\n")[0].partition(" ")
                slides.append(((len(marks), title), []))
            if text.strip():
                slides[-1][1].append(nbformat.v4.new_markdown_cell(_markdown(text)))
    return slides


def _shown(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A code cell with its pictures and words; without the code of a figure, and without widgets."""
    tags = cell.metadata.get("tags", [])
    if "widget" in tags:
        return nbformat.v4.new_markdown_cell("")
    if "figure" in tags or "hide-input" in tags:
        cell.source = ""
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            output.data = {kind: own for kind, own in output.data.items() if kind.startswith("image/")}
    return cell


def _markdown(text: str) -> str:
    """Markdown with its figures and formulas in the text itself. Links to notebooks lead to the site's pages; of other
    files only the words are left."""
    parts = CODE.split(text)
    parts[::2] = [FORMULA.sub(_formula, part) for part in parts[::2]]
    text = FIGURE.sub(lambda match: f"]({_data(COURSE / match[1])})", "".join(parts))
    text = re.sub(r"\]\(((?:solutions/)?\w+)\.ipynb", r"](../notebooks/\1.html", text)
    return FILE.sub(r"\1", text)


def _formula(match: re.Match) -> str:
    return convert(match[1] or match[2], display="block" if match[1] else "inline")


def _data(path: Path) -> str:
    """A figure as a URI that holds it: the SVG where there is one."""
    path = path.with_suffix(".svg") if path.with_suffix(".svg").is_file() else path
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _rendered(cells: list[nbformat.NotebookNode]) -> str:
    return _exporter().from_notebook_node(nbformat.v4.new_notebook(cells=cells))[0]


@cache
def _exporter() -> HTMLExporter:
    return HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True, exclude_anchor_links=True
    )
