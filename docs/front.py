"""What the front page shows as proof: the checker's verdict on wrong code, the conformance runs, the repository.

<!-- repository -->             a button to the repository, where its address is known, or to the source in the site
<!-- verdict -->                what the checker says of wrong.py
<!-- conformance -->            public packages, by how many functions hold
<!-- conformance: top_k … -->   the same for some functions, in full
"""

import html
import inspect
import os
import subprocess
from functools import cache
from pathlib import Path

from docs import wrong
from docs.matrix import packages
from minisparse.golden import cases, check
from minisparse.golden.verdict import Verdict

HERE = Path(__file__).parent


def repository() -> str:
    """The repository's page: of the CI that builds the site, or of this clone's origin; "" where neither is known."""
    if os.environ.get("GITHUB_REPOSITORY"):
        return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{os.environ['GITHUB_REPOSITORY']}"
    asked = ["git", "-C", str(HERE), "config", "remote.origin.url"]
    try:
        address = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
    return address.removesuffix(".git") if address.startswith("https://") and "@" not in address else ""


def button() -> str:
    address = repository()
    where, words = (address, "Repository") if address else ("../_modules/index.html", "Source")
    return f'<a class="sd-btn sd-btn-outline-primary" href="{html.escape(where)}">{words}</a>'


@cache
def verdict() -> str:
    """The code of wrong.py, and the checker's sentence about it. ValueError if it should pass."""
    outcomes = [check.run(case, wrong.rigl_update) for case in cases.load()["rigl_update"]]
    said = Verdict(outcomes)
    if said.passes:
        raise ValueError("docs/wrong.py holds in every case: the front page shows a failure")
    code = inspect.getsource(wrong.rigl_update)
    command = "$ minisparse golden check rigl_update wrong:rigl_update"
    said_so = f'<pre class="verdict" tabindex="0">{command}\n<b>✗ {html.escape(said.sentence())}</b></pre>'
    return f"```python\n{code}```\n\n```{{raw}} html\n{said_so}\n```"


def summary() -> str:
    """A row for each package: what holds in full, and what differs. On a phone a card, as of results.py."""
    lines = ["".join(f'<th scope="col">{name}</th>' for name in ("package", "holds in every case", "differs in some"))]
    for name, package in packages().items():
        runs = package["functions"].items()
        holds = ", ".join(f"<code>{f}</code>" for f, run in runs if run["passes"])
        differs = ", ".join(f"<code>{f}</code> {run['holds']}/{run['cases']}" for f, run in runs if not run["passes"])
        cells = (("reached", "✓", "holds", holds), ("missed", "✗", "differs", differs))
        row = "".join(
            f'<td data-label="{label}"><span class="{kind}">{sign}</span> {told}</td>'
            if told
            else '<td class="none"></td>'
            for kind, sign, label, told in cells
        )
        lines.append(f'<th scope="row">{name} {package["version"].partition("+")[0]}</th>{row}')
    head, *body = (f"<tr>{line}</tr>" for line in lines)
    table = f'<table class="papers"><thead>{head}</thead><tbody>\n{chr(10).join(body)}\n</tbody></table>'
    return f"```{{raw}} html\n{table}\n```"


def of_functions(names: list[str]) -> str:
    """Functions by packages; "" where no package has any of them."""
    ran = {
        name: {f: run for f, run in package["functions"].items() if f in names} for name, package in packages().items()
    }
    ran = {name: runs for name, runs in ran.items() if runs}
    if not ran:
        return ""
    asked = [f for f in names if any(f in runs for runs in ran.values())]
    head = "| run through the vectors | " + " | ".join(f"{name} {packages()[name]['version']}" for name in ran) + " |"
    lines = [head, "|---" * (len(ran) + 1) + "|"]
    lines += [f"| `{f}` | " + " | ".join(_cell(runs.get(f)) for runs in ran.values()) + " |" for f in asked]
    return "\n".join(["Packages that anybody can install, [run](../conformance.md):", "", *lines])


def _cell(run: dict | None) -> str:
    if run is None:
        return "–"
    if run["passes"]:
        return '<span class="reached">✓</span>'
    return (
        f'<span class="missed" title="{html.escape(run["verdict"])}">✗ {run["holds"]} of {run["cases"]}</span>'.replace(
            "|", "∣"
        )
    )
