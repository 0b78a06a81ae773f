"""The origin as a service: chuk-artifacts 0.8 behind FastAPI, as its description shows it.

Bodies are raw, not forms, and callers say who they are in a parameter, without a token: both are less work than
artifactd does. The providers are chosen by the library's own environment variables.

    ARTIFACT_PROVIDER=memory SESSION_PROVIDER=memory uvicorn app:app --app-dir benchmarks/peer
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from chuk_artifacts import ArtifactStore
from chuk_artifacts.models import ArtifactMetadata, StreamDownloadRequest, StreamUploadRequest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Base64Bytes, BaseModel

BYTES = "application/octet-stream"
# Longer than any run of the benchmark; the library's default is 15 minutes.
TTL = 86_400

store: ArtifactStore


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global store
    async with ArtifactStore() as store:
        yield


app = FastAPI(lifespan=lifespan)


def whose(user_id: str) -> dict[str, Any]:
    return {"user_id": user_id, "session_id": f"user_{user_id}", "scope": "user", "ttl": TTL}


@app.get("/readyz")
async def ready() -> None:
    pass


@app.post("/artifacts", status_code=201)
async def save(request: Request, user_id: str, filename: str) -> dict[str, str]:
    data = await request.body()
    mime = request.headers.get("content-type", BYTES)
    artifact_id = await store.store(data, mime=mime, summary="", filename=filename, **whose(user_id))
    return {"artifact_id": artifact_id}


@app.get("/artifacts")
async def search(user_id: str, limit: int = 100) -> list[ArtifactMetadata]:
    return await store.search(user_id=user_id, scope="user", limit=limit)


@app.get("/artifacts/{artifact_id}")
async def metadata(artifact_id: str) -> ArtifactMetadata:
    return await store.metadata(artifact_id)


@app.get("/artifacts/{artifact_id}/content")
async def retrieve(artifact_id: str, user_id: str) -> Response:
    return Response(await store.retrieve(artifact_id, user_id=user_id), media_type=BYTES)


@app.put("/artifacts/{artifact_id}/content")
async def update(artifact_id: str, request: Request) -> dict[str, bool]:
    return {"updated": await store.update_file(artifact_id, data=await request.body())}


@app.post("/artifacts/{artifact_id}/presign")
async def presign(artifact_id: str, expires: int) -> dict[str, str]:
    return {"url": await store.presign(artifact_id, expires=expires)}


class Item(BaseModel):
    data_base64: Base64Bytes
    mime: str
    filename: str


class Batch(BaseModel):
    items: list[Item]


@app.post("/batch")
async def save_all(batch: Batch, user_id: str) -> dict[str, list[str | None]]:
    items = [
        {"data": item.data_base64, "mime": item.mime, "summary": "", "filename": item.filename} for item in batch.items
    ]
    return {"artifact_ids": await store.store_batch(items, session_id=f"user_{user_id}", ttl=TTL)}


@app.post("/streams", status_code=201)
async def save_stream(request: Request, user_id: str, filename: str) -> dict[str, str]:
    length = request.headers.get("content-length")
    upload = StreamUploadRequest(
        data_stream=request.stream(),
        content_length=int(length) if length else None,
        mime=BYTES,
        summary="",
        filename=filename,
        **whose(user_id),
    )
    return {"artifact_id": await store.stream_upload(upload)}


@app.get("/streams/{artifact_id}")
async def retrieve_stream(artifact_id: str, user_id: str) -> StreamingResponse:
    download = StreamDownloadRequest(artifact_id=artifact_id, user_id=user_id)
    return StreamingResponse(store.stream_download(download), media_type=BYTES)
