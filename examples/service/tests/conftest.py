"""Fixtures: a clean environment for every test, and an application with a client for tests with overrides."""

import os
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from incidents.app import create_app

from .running import calling


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the keys and settings of the process environment."""
    for name in list(os.environ):
        if not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def app() -> FastAPI:
    """A new application whose dependencies a test may override; no container is opened."""
    return create_app()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `app`."""
    async with calling(app) as client:
        yield client
