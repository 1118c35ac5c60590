"""Answers of storage about files, as users get them."""

from thanosql.v1 import gateway_pb2, storage_pb2


def download_part(part: storage_pb2.ReadFileResponse) -> gateway_pb2.DownloadFileResponse:
    """A part of a file."""
    match part.WhichOneof("part"):
        case "file":
            return gateway_pb2.DownloadFileResponse(file=part.file)
        case "end":
            return gateway_pb2.DownloadFileResponse(end=part.end)
        case _:
            return gateway_pb2.DownloadFileResponse(chunk=part.chunk)


def sign_request(request: gateway_pb2.GetFileUrlRequest) -> storage_pb2.SignFileUrlRequest:
    """For which file, and for how long, an address is wanted."""
    lasts = request.lasts if request.HasField("lasts") else None
    return storage_pb2.SignFileUrlRequest(path=request.path, lasts=lasts)


def upload_state(state: storage_pb2.GetFileUploadResponse) -> gateway_pb2.GetUploadResponse:
    """How far an upload is."""
    return gateway_pb2.GetUploadResponse(
        received_bytes=state.received_bytes,
        expire_time=state.expire_time if state.HasField("expire_time") else None,
        file=state.file if state.HasField("file") else None,
    )
