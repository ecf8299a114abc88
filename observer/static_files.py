"""Scripts, styles and icons."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles as _StaticFiles


class StaticFiles(_StaticFiles):
    """Kept by browsers, but asked about each time: an ETag answers cheaply, and an update shows at once."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
