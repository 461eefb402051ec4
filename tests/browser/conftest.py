"""The built site that the tests of this folder look at."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def site():
    if "MINISPARSE_LITE" not in os.environ:
        pytest.skip("MINISPARSE_LITE does not name a site of `python docs/lite/build.py SITE --self-hosted`")
    return Path(os.environ["MINISPARSE_LITE"]).resolve()
