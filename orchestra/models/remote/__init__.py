"""Models behind a server that speaks the OpenAI protocol: `RemoteModel`, and the `Server` that several may share."""

from orchestra.models.remote.failure import Failed
from orchestra.models.remote.model import RemoteModel, load
from orchestra.models.remote.prices import Price
from orchestra.models.remote.server import Server

__all__ = ["Failed", "Price", "RemoteModel", "Server", "load"]
