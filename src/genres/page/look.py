"""Theme and security of the page: no requests to other hosts, no access to files of other visitors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from genres.figures.style import BLUE

HERE = Path(__file__).parent
FONTS = ["system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "DejaVu Sans", "sans-serif"]

# Shades of the figures' blue.
_BLUES = gr.themes.Color(
    c50="#eaf4fa",
    c100="#d3e8f5",
    c200="#a6d1eb",
    c300="#74b7dd",
    c400="#3a95ca",
    c500=BLUE,
    c600="#00649c",
    c700="#005484",
    c800="#00436a",
    c900="#003352",
    c950="#002238",
    name="figures",
)

# Content security policy: the browser blocks requests to other hosts, even those of Gradio's own pages.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob: data:; font-src 'self' data:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'"
)


def launch_options(hosts: Sequence[str], *, is_written_to: bool) -> dict[str, Any]:
    """Return arguments of Gradio's launch(): theme, style, script, middleware; its optional features are off.

    Parameters
    ----------
    hosts : sequence of str
        Names of this machine if the page serves it alone: others come from DNS rebinding, and are rejected. Else empty.
    is_written_to : bool
        True if events write files of the project: pages of other sites that are open in the browser are then refused.
    """
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    guards = [Middleware(Guard)]
    if hosts:
        guards.append(Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)))

    if is_written_to:
        guards.append(Middleware(OwnOrigin))

    theme = gr.themes.Base(
        primary_hue=_BLUES, secondary_hue=_BLUES, neutral_hue="slate", font=FONTS, font_mono=["monospace"]
    ).set(
        button_primary_background_fill=BLUE,
        button_primary_background_fill_hover="#00649c",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        block_radius="8px",
    )
    return {
        "theme": theme,
        "css_paths": HERE / "page.css",
        "head": f"<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>",
        "footer_links": [],
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "enable_monitoring": False,
        "run_history": False,
        "show_error": False,
        "state_session_capacity": 200,
        "app_kwargs": {"middleware": guards},
    }


class Guard:
    """Middleware that adds the policy to each response and blocks fetching of URLs by Gradio's file route."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = message | {"headers": [*message["headers"], *_HEADERS]}
            await send(message)

        if "file=http" in scope["path"].replace("file/", "file="):
            await guarded({"type": "http.response.start", "status": 403, "headers": []})
            await guarded({"type": "http.response.body", "body": b"not here"})
            return
        await self.app(scope, receive, guarded)


class OwnOrigin:
    """Middleware that refuses what another site's page asks for; browsers name that site."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", []))
        origin = headers.get(b"origin", b"")
        if origin and origin.rpartition(b"//")[2] != headers.get(b"host"):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"not from here"})
            return
        await self.app(scope, receive, send)


_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
