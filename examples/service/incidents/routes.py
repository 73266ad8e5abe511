"""The routes. No route handles an `LLMError`; errors.py does."""

from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from faultmaven import LLMResponse

from .events import events
from .wiring import ClassifierLLM, Diagnosing, NamesProviders, Opened, SynthesisLLM, UntilSent

router = APIRouter()


class Incident(BaseModel):
    """Request body of a client."""

    text: str


class Answer(BaseModel):
    """Response body. `stop_reason` "max_tokens" means that the text is cut."""

    text: str
    stop_reason: str
    provider: str | None = None


class Category(BaseModel):
    """Category of an incident: answer of the classifier, and response body."""

    category: Literal["capacity", "configuration", "network", "software", "other"]


def answer(response: LLMResponse, names_providers: bool) -> Answer:
    """Return the response body for an `LLMResponse`."""
    provider = response.provider if names_providers else None
    return Answer(text=response.content, stop_reason=response.stop_reason.value, provider=provider)


@router.post("/diagnose", response_model_exclude_none=True)
async def diagnose(incident: Incident, diagnostician: Diagnosing, names: NamesProviders) -> Answer:
    """Return a diagnosis."""
    return answer(await diagnostician.diagnose(incident.text), names)


@router.post("/diagnose/stream")
async def stream_diagnosis(
    incident: Incident, diagnostician: Diagnosing, names: NamesProviders, until_sent: UntilSent
) -> StreamingResponse:
    """Stream a diagnosis as server-sent events. A failure before the first chunk has an HTTP error status."""
    stream = await until_sent.enter_async_context(diagnostician.explain(incident.text))
    return StreamingResponse(events(stream, names), media_type="text/event-stream")


@router.post("/summarise", response_model_exclude_none=True)
async def summarise(incident: Incident, llm: SynthesisLLM, names: NamesProviders) -> Answer:
    """Return a summary in one sentence."""
    prompt = f"Summarise this incident in one sentence:\n\n{incident.text}"
    return answer(await llm.generate(prompt, deadline=60), names)


@router.post("/classify")
async def classify(incident: Incident, llm: ClassifierLLM) -> Category:
    """Return the category of the incident."""
    prompt = f"Classify this incident:\n\n{incident.text}"
    response = await llm.generate(prompt, temperature=0, response_format=Category, deadline=15)
    return Category.model_validate(response.parsed)


@router.get("/healthz")
async def healthz(
    container: Opened, response: Response, names: NamesProviders, probe: bool = False
) -> dict[str, object]:
    """Return 200, or 503 without an available provider. `probe=true` requests each model list within 10 seconds."""
    health = await container.health(probe=probe)
    response.status_code = 503 if health.status == "down" else 200
    return health.as_dict() if names else {"status": health.status}
