"""Stand-in for the parts of FastAPI that docs/embedding-in-fastapi.md uses, for environments without FastAPI.

The page was also run with the real FastAPI, in the version that the page names.
"""

import contextlib
import inspect
import json
import urllib.parse
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints


class Depends:
    """Marks a parameter whose value a dependency function provides."""

    def __init__(self, dependency: Callable[..., Any]) -> None:
        self.dependency = dependency


class Request:
    """A request, reduced to the reference to the application."""

    def __init__(self, app: "FastAPI") -> None:
        self.app = app


class JSONResponse:
    """A response with a status, a JSON body and additional headers."""

    def __init__(self, content: Any, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.body, self.status_code = json.dumps(content).encode(), status_code
        self.headers = headers or {}


class _State:
    pass


class FastAPI:
    """An ASGI application with GET and POST routes, exception handlers, a lifespan and dependency overrides."""

    def __init__(self, lifespan: Any = None) -> None:
        self._lifespan = lifespan
        self._routes: dict[tuple[str, str], Callable[..., Any]] = {}
        self._handlers: dict[type[Exception], Callable[..., Any]] = {}
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.state = _State()
        self.router = self

    @contextlib.asynccontextmanager
    async def lifespan_context(self, app: "FastAPI") -> AsyncIterator[None]:
        """Run the application's lifespan around the body."""
        async with self._lifespan(app):
            yield

    def get(self, path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a function for GET requests to `path`."""
        return self._route("GET", path)

    def post(self, path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a function for POST requests to `path`."""
        return self._route("POST", path)

    def _route(self, method: str, path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self._routes[method, path] = function
            return function

        return register

    def exception_handler(self, kind: type[Exception]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a function that turns an exception into a response."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self._handlers[kind] = function
            return function

        return register

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request."""
        body = (await receive()).get("body", b"")
        data = json.loads(body) if body else dict(urllib.parse.parse_qsl(scope["query_string"].decode()))
        function, request = self._routes[scope["method"], scope["path"]], Request(self)
        try:
            answer = await function(**await self._arguments(function, request, data))
            response = answer if isinstance(answer, JSONResponse) else JSONResponse(answer)
        except tuple(self._handlers) as error:
            handler = next(candidate for kind, candidate in self._handlers.items() if isinstance(error, kind))
            response = await handler(request, error)
        headers = {"content-type": "application/json", **response.headers}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": response.status_code, "headers": encoded})
        await send({"type": "http.response.body", "body": response.body})

    async def _arguments(self, function: Callable[..., Any], request: Request, data: Any) -> dict[str, Any]:
        values: dict[str, Any] = {}
        parameters = inspect.signature(function).parameters
        hints = get_type_hints(function, include_extras=True)
        for name in parameters:
            hint = hints[name]
            marker = get_args(hint)[1] if get_origin(hint) is Annotated else None
            if isinstance(marker, Depends):
                provide = self.dependency_overrides.get(marker.dependency, marker.dependency)
                provided = provide(**await self._arguments(provide, request, data))
                values[name] = await provided if inspect.isawaitable(provided) else provided
            elif hint is Request:
                values[name] = request
            elif hint is bool:
                values[name] = data.get(name) == "true"
            else:
                values[name] = hint(**data)
        return values
