"""What every test starts from, and what those with overrides do."""

import os
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from incidents.app import create_app

from .running import calling


@pytest.fixture(autouse=True)
def nobodys_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the keys and settings of whoever runs the tests."""
    for name in list(os.environ):
        if not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def app() -> FastAPI:
    """An application of the test's own, whose dependencies it may override; no container is opened."""
    return create_app()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `app`."""
    async with calling(app) as client:
        yield client
