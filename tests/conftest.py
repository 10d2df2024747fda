"""What all tests share."""

import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for a processor make small products slow

import pytest
from hypothesis import settings

from driftwatch.demo import recording

ROOT = Path(__file__).parent.parent

settings.register_profile("driftwatch", deadline=None)  # a busy machine is no failure
settings.load_profile("driftwatch")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Real data that is too large, or not ours, to come with the project."""
    folder = Path(os.environ.get("DRIFTWATCH_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the recordings are not on this machine; DRIFTWATCH_DATA names their folder")
    return folder


@pytest.fixture(scope="session")
def bundled() -> Path:
    """The recording that comes with the project."""
    return recording()
