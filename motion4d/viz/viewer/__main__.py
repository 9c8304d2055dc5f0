"""`python -m motion4d.viz.viewer RUN [--host HOST] [--port PORT]`: look at a reconstruction in the browser.

RUN is the output folder of task=reconstruct; without it the page can only start one. Served to this machine alone
unless --host says otherwise: whoever reaches the page can also start reconstructions of files that are here.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; 1 after an error, which one sentence explains."""
    parser = argparse.ArgumentParser(prog="python -m motion4d.viz.viewer", description=__doc__)
    parser.add_argument("run", nargs="?", metavar="RUN", help="output folder of task=reconstruct")
    parser.add_argument("--host", default="127.0.0.1", help="address that is listened on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args(arguments)
    try:
        return _serve(options.run, options.host, options.port)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _serve(run: str | None, host: str, port: int) -> int:
    try:
        from motion4d.viz.viewer.page import ViewerPage
    except ModuleNotFoundError as error:
        if error.name != "viser":
            raise
        raise ImportError('the viewer needs viser; install it with: pip install -e ".[viewer]"') from error
    from motion4d.viz.viewer.scene_files import read_run

    scene = None if run is None else read_run(run)
    _check_free(host, port)
    page = ViewerPage(host=host, port=port)
    try:
        if scene is not None:
            page.show(scene)
        print(f"open http://{host}:{page.port} in a browser; Ctrl-C ends it", flush=True)
        threading.Event().wait()
    finally:
        page.close()
    return 0


def _check_free(host: str, port: int) -> None:
    """An OSError of one sentence if nothing can listen there; viser would silently take another port."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        raise OSError(f"cannot listen on {host} port {port} ({error}); choose others with --host and --port") from error


if __name__ == "__main__":
    sys.exit(main())
