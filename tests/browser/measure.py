"""Seconds and bytes of each notebook in Chromium, from a cold start: measure.py SITE [NOTEBOOK …]"""

import sys
from pathlib import Path

from chromium import Counting, served, tab
from playwright.sync_api import sync_playwright

site = Path(sys.argv[1]).resolve()
folder = site / "files" / "notebooks"
names = sys.argv[2:] or sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.ipynb"))
print("  kernel  first output     end       MB  notebook")
with served(site) as origin, sync_playwright() as playwright:
    for name in names:
        with tab(playwright, origin) as page:
            before = Counting.sent
            ready = page.open(name, 300)
            try:
                first, end = page.run_all(1500)
            except TimeoutError:
                first, end = 0, 1500
            mb = (Counting.sent - before) / 1e6
            print(f"{ready:8.1f}{ready + first:14.1f}{ready + end:8.1f}{mb:9.1f}  {name}", flush=True)
            for wrong in page.errors() + page.foreign:
                print("    ", wrong[:600], flush=True)
